// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/utils/lru"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
)

// none is a version that no object has: who applies over it makes the object, or conflicts with the one there is.
const none = "1"

// FieldOwner is the manager under which OrderFlow's fields are recorded.
const FieldOwner = client.FieldOwner("orderflow")

// Applier writes the objects that owners of OrderFlow's kinds want. It is safe for concurrent use.
type Applier struct {
	client client.Client
	live   client.Reader

	// written are the versions of owners that were written last, by UID, and when.
	written *lru.Cache

	// patient has what StatusWithin may put off wait, and untold is what waits, by the owner's UID.
	patient bool
	untold  *cache.Expiring

	mu      sync.Mutex
	applied map[types.UID]applied
}

// New returns an Applier that writes by c, which may have a cache. live reads without one: Secrets, and what the cache does not have.
func New(c client.Client, live client.Reader) *Applier {
	return &Applier{client: c, live: live, written: lru.New(maxWritten), untold: cache.NewExpiring(), applied: map[types.UID]applied{}}
}

// Patient makes it put off what may wait, and returns it.
func (a *Applier) Patient() *Applier {
	a.patient = true
	return a
}

// TakenError is an object of the wanted name that belongs to somebody else.
type TakenError struct {
	// Kind and Name of the object.
	Kind, Name string
	// By is its controller as "Kind name"; empty: nobody's.
	By string
}

// Error names the object and whose it is.
func (e *TakenError) Error() string {
	by := e.By
	if by == "" {
		by = "no OrderFlow object"
	}
	return fmt.Sprintf("%s %s exists and belongs to %s", e.Kind, e.Name, by)
}

// Apply makes one object as its owner declares it, and reads what it is then back into it. Nothing is sent if it was applied like this before, by whatever
// operator, and nobody changed it since. *TakenError: it exists and is not the owner's.
func (a *Applier) Apply(ctx context.Context, owner, object client.Object) error {
	if err := a.own(owner, object); err != nil {
		return err
	}
	declared, err := a.declare(object)
	if err != nil {
		return err
	}
	found, err := a.find(ctx, object)
	if err != nil {
		return err
	}
	if found != nil && metav1.IsControlledBy(found, owner) && a.unchanged(found, declared.wanted) { // as nearly always
		take(object, found)
		return nil
	}
	return a.applyOver(ctx, owner, object, found, declared)
}

// Make makes an object as its owner declares it, and reads what it is then into it. made is false where there is one of its name: whose it is, Apply says.
func (a *Applier) Make(ctx context.Context, owner, object client.Object) (made bool, err error) {
	if err := a.own(owner, object); err != nil {
		return false, err
	}
	declared, err := a.declare(object)
	if err != nil {
		return false, err
	}
	if err = a.send(ctx, object, declared, nil); apierrors.IsConflict(err) {
		return false, nil
	}
	return err == nil, err
}

// applyOver applies what was not applied by this operator as it is wanted now. found is what is there, nil as far as the cache knows: there may be one all the same, as a cache may lag behind, and holds
// labelled objects only.
func (a *Applier) applyOver(ctx context.Context, owner, object, found client.Object, declared declaration) (err error) {
	if found == nil {
		refused := a.send(ctx, object, declared, nil)
		if !apierrors.IsConflict(refused) && !apierrors.IsForbidden(refused) && !apierrors.IsInvalid(refused) { // the last two by a webhook that came to it first
			return refused
		}
		if found, err = read(ctx, a.live, object); err != nil {
			return err
		}
		if found == nil {
			return refused
		}
	}
	if !metav1.IsControlledBy(found, owner) {
		return taken(kindOf(declared.object), found)
	}
	if a.stands(found, declared) {
		take(object, found)
		return nil
	}
	return a.send(ctx, object, declared, found)
}

// take makes object be what was found: both are what the scheme makes of the kind.
func take(object, found client.Object) {
	reflect.ValueOf(object).Elem().Set(reflect.ValueOf(found).Elem())
}

// ApplyOver is Apply, over the version of the object that its owner has read; empty: there was none. It is a conflict if the object was written since: see Again. One that
// was deleted is made again.
func (a *Applier) ApplyOver(ctx context.Context, owner, object client.Object, version string) error {
	if err := a.own(owner, object); err != nil {
		return err
	}
	declared, err := a.bare(object)
	if err != nil {
		return err
	}
	found, err := read(ctx, a.live, object)
	if err != nil {
		return err
	}
	if found != nil && !metav1.IsControlledBy(found, owner) {
		return taken(kindOf(declared), found)
	}
	declared.SetResourceVersion(cmp.Or(version, none))
	return a.put(ctx, object, declared)
}

func (a *Applier) own(owner, object client.Object) error {
	if err := controllerutil.SetControllerReference(owner, object, a.client.Scheme()); err != nil {
		return fmt.Errorf("set the owner of %s: %w", object.GetName(), err)
	}
	return nil
}

// find returns the object as the cache has it, nil if it has none. Of Secrets there is no cache.
func (a *Applier) find(ctx context.Context, object client.Object) (client.Object, error) {
	if _, is := object.(*corev1.Secret); is {
		return read(ctx, a.live, object)
	}
	return read(ctx, a.client, object)
}

// read returns the object as it is, nil if there is none.
func read(ctx context.Context, from client.Reader, object client.Object) (client.Object, error) {
	found := blank(object)
	switch err := from.Get(ctx, client.ObjectKeyFromObject(object), found); {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read %T %s: %w", object, object.GetName(), err)
	}
	return found, nil
}

// put applies an object as declared, and reads what it is then into object: in the caller's type, which the API server writes, and a client reads, at less cost than fields.
func (a *Applier) put(ctx context.Context, object, declared client.Object) error {
	text, err := json.Marshal(declared)
	if err != nil {
		return fmt.Errorf("write %s %s: %w", kindOf(declared), declared.GetName(), err)
	}
	made := blank(object)
	made.SetNamespace(declared.GetNamespace())
	made.SetName(declared.GetName())
	if err := a.client.Patch(ctx, made, client.RawPatch(types.ApplyPatchType, text), FieldOwner, client.ForceOwnership); err != nil {
		return fmt.Errorf("apply %s %s: %w", kindOf(declared), declared.GetName(), err)
	}
	take(object, made)
	return nil
}

// alike is a copy of an object, of which the parts are the object's.
func alike(object client.Object) client.Object {
	other := blank(object)
	take(other, object)
	return other
}

// blank is an object of the same type that says nothing: what is read into one that says something may leave some of it.
func blank(object client.Object) client.Object {
	return reflect.New(reflect.TypeOf(object).Elem()).Interface().(client.Object) //nolint:forcetypeassert // it is of object's type
}

func taken(kind string, found client.Object) error {
	e := &TakenError{Kind: kind, Name: found.GetName()}
	if by := metav1.GetControllerOf(found); by != nil {
		e.By = by.Kind + " " + by.Name
	}
	return e
}

// Prune deletes the owner's objects in list that are not among the names to keep. list is empty; its type and opts (namespace, labels)
// say what is looked for.
func (a *Applier) Prune(ctx context.Context, owner client.Object, list client.ObjectList, keep []string, opts ...client.ListOption) error {
	if err := a.client.List(ctx, list, append(opts, client.InNamespace(owner.GetNamespace()), client.UnsafeDisableDeepCopy)...); err != nil {
		return fmt.Errorf("list what may be left over: %w", err)
	}
	return meta.EachListItem(list, func(item runtime.Object) error {
		object := item.(client.Object) //nolint:forcetypeassert // what a client lists are objects
		if slices.Contains(keep, object.GetName()) || !metav1.IsControlledBy(object, owner) || object.GetDeletionTimestamp() != nil {
			return nil
		}
		return a.delete(ctx, object)
	})
}

// Delete deletes an object if it is there and the owner's.
func (a *Applier) Delete(ctx context.Context, owner, object client.Object) error {
	if err := a.live.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
		return client.IgnoreNotFound(err)
	}
	if !metav1.IsControlledBy(object, owner) {
		return nil
	}
	return a.delete(ctx, object)
}

// delete deletes just the object that was looked at: the UID makes sure of it, as the look may be old.
func (a *Applier) delete(ctx context.Context, object client.Object) error {
	a.forget(object)
	err := a.client.Delete(ctx, object, client.Preconditions{UID: new(object.GetUID())}, client.PropagationPolicy(metav1.DeletePropagationBackground))
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("delete %s: %w", object.GetName(), err)
	}
	return nil
}
