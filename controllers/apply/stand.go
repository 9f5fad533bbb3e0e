// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// appliedAnnotation is the digest of what an object was last made to be, for an operator that begins to know: what is no longer declared cannot be seen otherwise. Where
// the kind has generations it has that of the object as well, by which it is seen whether anybody wrote the spec since.
const appliedAnnotation = "orderflow.dev/applied"

// applied is what an object was made to be.
type applied struct {
	declaration [sha256.Size]byte
	version     string
}

func digest(declared *unstructured.Unstructured) ([sha256.Size]byte, error) {
	text, err := declared.MarshalJSON() // keys come sorted
	if err != nil {
		return [sha256.Size]byte{}, fmt.Errorf("write %s %s: %w", declared.GetKind(), declared.GetName(), err)
	}
	return sha256.Sum256(text), nil
}

func (a *Applier) unchanged(found client.Object, sum [sha256.Size]byte) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.applied[found.GetUID()] == applied{sum, version(found)}
}

// mark is the value of the annotation. No generation: 0.
func mark(sum [sha256.Size]byte, generation int64) string {
	mark := hex.EncodeToString(sum[:8])
	if generation != 0 {
		mark += "-" + strconv.FormatInt(generation, 10)
	}
	return mark
}

// generationToBe is the generation that an object will have once it is applied, 0 for the kinds of the core group, which have none. Where it is wrong, since nothing of the spec
// changes, or somebody else changes it at the same moment, the next operator applies the object once more.
func generationToBe(declared *unstructured.Unstructured, found client.Object, sum [sha256.Size]byte) int64 {
	if declared.GroupVersionKind().Group == corev1.GroupName {
		return 0
	}
	if found == nil {
		return 1
	}
	was, generation, _ := strings.Cut(found.GetAnnotations()[appliedAnnotation], "-")
	if at, _ := strconv.ParseInt(generation, 10, 64); was == mark(sum, 0) && at >= found.GetGeneration() {
		return found.GetGeneration() // nobody wrote the spec since
	}
	return found.GetGeneration() + 1
}

// stands reports whether an object that this operator did not apply is as declared all the same, and then remembers it. What has a generation is not compared beyond its
// metadata: a cache need not have its spec.
func (a *Applier) stands(found client.Object, declared *unstructured.Unstructured, sum [sha256.Size]byte) bool {
	if found.GetAnnotations()[appliedAnnotation] != mark(sum, found.GetGeneration()) {
		return false
	}
	have, err := runtime.DefaultUnstructuredConverter.ToUnstructured(found)
	if err != nil {
		return false
	}
	for field, value := range declared.Object {
		compared := field == "metadata" || found.GetGeneration() == 0 && field != "apiVersion" && field != "kind"
		if compared && !contains(have[field], value) {
			return false
		}
	}
	a.remember(found, sum)
	return true
}

// contains reports whether all that want says is so in have, which may say more.
func contains(have, want any) bool {
	switch want := want.(type) {
	case map[string]any:
		fields, is := have.(map[string]any)
		for name, value := range want {
			if is = is && contains(fields[name], value); !is {
				return false
			}
		}
		return is
	case []any:
		return slices.EqualFunc(items(have), want, contains)
	}
	return have == want
}

func items(value any) []any {
	list, _ := value.([]any)
	return list
}

func (a *Applier) remember(object client.Object, sum [sha256.Size]byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.applied[object.GetUID()] = applied{sum, version(object)}
}

// version changes when somebody else writes what OrderFlow wrote: the generation where there is one, since the resource version also
// moves with the status.
func version(object client.Object) string {
	if generation := object.GetGeneration(); generation != 0 {
		return "generation " + strconv.FormatInt(generation, 10)
	}
	return object.GetResourceVersion()
}

func (a *Applier) forget(object client.Object) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.applied, object.GetUID())
}
