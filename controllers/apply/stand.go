// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// appliedAnnotation is the digest of what an object was last made to be, for an operator that begins to know: what is no longer declared cannot be seen otherwise. For the kinds of
// StandsByGeneration it has the object's generation as well, by which it is seen whether anybody wrote the spec since. That may be too low, so that the object is applied once
// more than need be, but never too high: the next write of somebody else would be taken for ours. Where an
// operator writes an object otherwise than the one before, as with types that have other fields, it is applied once more as well, which moves a Deployment's generation.
const appliedAnnotation = "orderflow.dev/applied"

const deployment = "Deployment"

// StandsByGeneration says of a kind that its objects are known to be as declared by their generation and metadata alone: a cache need not hold their specs.
func StandsByGeneration(kind string) bool {
	return kind == deployment || kind == "NetworkPolicy" || kind == "PodDisruptionBudget"
}

// sum is a digest, short enough to be held for each object.
type sum [16]byte

// declaration is an object as its owner declares it, and the digest of that.
type declaration struct {
	object client.Object
	wanted sum
}

func (a *Applier) declare(object client.Object) (declaration, error) {
	declared, err := a.bare(object)
	if err != nil {
		return declaration{}, err
	}
	text, err := json.Marshal(declared)
	if err != nil {
		return declaration{}, fmt.Errorf("write %s %s: %w", kindOf(declared), object.GetName(), err)
	}
	all := sha256.Sum256(text)
	return declaration{declared, sum(all[:len(sum{})])}, nil
}

// bare is an object with its kind and without what the API server says of it. Kinds of Kubernetes write a status that says nothing, as "{}" or with zeros: no kind lets it be applied with the object.
func (a *Applier) bare(object client.Object) (client.Object, error) {
	gvk, err := a.client.GroupVersionKindFor(object)
	if err != nil {
		return nil, fmt.Errorf("find the kind of %s: %w", object.GetName(), err)
	}
	declared := alike(object)
	declared.GetObjectKind().SetGroupVersionKind(gvk)
	declared.SetUID("")
	declared.SetResourceVersion("")
	declared.SetGeneration(0)
	declared.SetCreationTimestamp(metav1.Time{})
	declared.SetManagedFields(nil)
	if said := status(declared); said.IsValid() {
		said.SetZero()
	}
	return declared, nil
}

func kindOf(declared client.Object) string { return declared.GetObjectKind().GroupVersionKind().Kind }

// mark is the declaration's for an object that has the generation; 0: none.
func (d declaration) mark(generation int64) string {
	mark := hex.EncodeToString(d.wanted[:8])
	if generation != 0 {
		mark += "-" + strconv.FormatInt(generation, 10)
	}
	return mark
}

// Slim makes an object smaller that a cache holds: a mark that is its only annotation is held where nothing else is, as a map of one entry takes a third of a kilobyte.
func Slim(o metav1.Object) {
	if mark := o.GetAnnotations()[appliedAnnotation]; mark != "" && len(o.GetAnnotations()) == 1 {
		o.SetSelfLink(mark) // which API servers leave empty since 1.20
		o.SetAnnotations(nil)
	}
}

func markOf(o metav1.Object) string {
	return cmp.Or(o.GetAnnotations()[appliedAnnotation], o.GetSelfLink())
}

// applied is what an object was made to be, and what tells that somebody else wrote it since: the generation where there is one, since the resource version also moves with the
// status.
type applied struct {
	wanted     sum
	generation int64
	version    string
}

func appliedOf(object client.Object, wanted sum) applied {
	if generation := object.GetGeneration(); generation != 0 {
		return applied{wanted: wanted, generation: generation}
	}
	return applied{wanted: wanted, version: object.GetResourceVersion()}
}

func (a *Applier) unchanged(found client.Object, wanted sum) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.applied[found.GetUID()] == appliedOf(found, wanted)
}

func (a *Applier) remember(object client.Object, wanted sum) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.applied[object.GetUID()] = appliedOf(object, wanted)
}

func (a *Applier) forget(object client.Object) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.applied, object.GetUID())
}

// send applies an object with its mark, and reads what it is then into object. found is what it was; nil makes one, and is a conflict if there is one.
func (a *Applier) send(ctx context.Context, object client.Object, declared declaration, found client.Object) error {
	var generation int64
	switch kind := kindOf(declared.object); {
	case !StandsByGeneration(kind):
	case found == nil:
		generation = 1
	case kind == deployment: // whose generation moves with every change of its annotations
		generation = found.GetGeneration() + 1
	default:
		generation = found.GetGeneration()
	}
	over := ""
	if found == nil {
		over = none
	}
	err := a.sendMarked(ctx, object, declared, generation, over)
	if err == nil && generation != 0 && object.GetGeneration() > generation && kindOf(declared.object) != deployment { // the spec has changed, which seldom happens
		err = a.sendMarked(ctx, object, declared, object.GetGeneration(), "")
	}
	if err == nil {
		a.remember(object, declared.wanted)
	}
	return err
}

// sendMarked applies an object with the mark for a generation, over a version if one is given.
func (a *Applier) sendMarked(ctx context.Context, object client.Object, declared declaration, generation int64, over string) error {
	marked := alike(declared.object)
	annotations := map[string]string{}
	maps.Copy(annotations, marked.GetAnnotations())
	annotations[appliedAnnotation] = declared.mark(generation)
	marked.SetAnnotations(annotations)
	marked.SetResourceVersion(over)
	return a.put(ctx, object, marked)
}

// stands reports whether an object that this operator did not apply is as declared all the same, and then remembers it.
func (a *Applier) stands(found client.Object, declared declaration) bool {
	var generation int64
	if StandsByGeneration(kindOf(declared.object)) {
		generation = found.GetGeneration()
	}
	if markOf(found) != declared.mark(generation) {
		return false
	}
	have, err := runtime.DefaultUnstructuredConverter.ToUnstructured(found)
	if err != nil {
		return false
	}
	want, err := runtime.DefaultUnstructuredConverter.ToUnstructured(declared.object)
	if err != nil {
		return false
	}
	for field, value := range want {
		compared := field == "metadata" || generation == 0 && field != "apiVersion" && field != "kind" && field != "status"
		if compared && !contains(have[field], value) {
			return false
		}
	}
	a.remember(found, declared.wanted)
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
