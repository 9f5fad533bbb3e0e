// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// appliedAnnotation is the digest of what an object was last made to be, for an operator that begins to know: what is no longer declared cannot be seen otherwise. For the kinds of
// StandsByGeneration it has the object's generation as well, by which it is seen whether anybody wrote the spec since. That may be too low, so that the object is applied once
// more than need be, but never too high: the next write of somebody else would be taken for ours.
const appliedAnnotation = "orderflow.dev/applied"

const deployment = "Deployment"

// StandsByGeneration says of a kind that its objects are known to be as declared by their generation and metadata alone: a cache need not hold their specs.
func StandsByGeneration(kind string) bool {
	return kind == deployment || kind == "NetworkPolicy" || kind == "PodDisruptionBudget"
}

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
	text := hex.EncodeToString(sum[:8])
	if generation != 0 {
		text += "-" + strconv.FormatInt(generation, 10)
	}
	return text
}

// send applies an object with its mark, and reads what it is then into object. found is what it was; nil makes one, and is a conflict if there is one.
func (a *Applier) send(ctx context.Context, object client.Object, declared *unstructured.Unstructured, sum [sha256.Size]byte, found client.Object) error {
	var generation int64
	switch kind := declared.GetKind(); {
	case !StandsByGeneration(kind):
	case found == nil:
		generation = 1
	case kind == deployment: // whose generation moves with every change of its annotations
		generation = found.GetGeneration() + 1
	default:
		generation = found.GetGeneration()
	}
	made := marked(declared, mark(sum, generation))
	if found == nil {
		made.SetResourceVersion(none)
	}
	err := a.put(ctx, object, made)
	if err == nil && generation != 0 && object.GetGeneration() > generation && declared.GetKind() != deployment { // the spec has changed, which seldom happens
		err = a.put(ctx, object, marked(declared, mark(sum, object.GetGeneration())))
	}
	if err == nil {
		a.remember(object, sum)
	}
	return err
}

func marked(declared *unstructured.Unstructured, mark string) *unstructured.Unstructured {
	made := declared.DeepCopy()
	annotations := made.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[appliedAnnotation] = mark
	made.SetAnnotations(annotations)
	return made
}

// stands reports whether an object that this operator did not apply is as declared all the same, and then remembers it.
func (a *Applier) stands(found client.Object, declared *unstructured.Unstructured, sum [sha256.Size]byte) bool {
	var generation int64
	if StandsByGeneration(declared.GetKind()) {
		generation = found.GetGeneration()
	}
	if found.GetAnnotations()[appliedAnnotation] != mark(sum, generation) {
		return false
	}
	have, err := runtime.DefaultUnstructuredConverter.ToUnstructured(found)
	if err != nil {
		return false
	}
	for field, value := range declared.Object {
		compared := field == "metadata" || generation == 0 && field != "apiVersion" && field != "kind"
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
