// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/utils/lru"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// FieldOwner is the manager under which OrderFlow's fields are recorded.
const FieldOwner = client.FieldOwner("orderflow")

// cacheLag is about how long a cache may be behind what was written.
const cacheLag = 200 * time.Millisecond

// Applier writes the objects that owners of OrderFlow's kinds want. It is safe for concurrent use.
type Applier struct {
	client client.Client
	live   client.Reader

	// written are the versions of owners that were written last, by UID, and when.
	written *lru.Cache

	mu      sync.Mutex
	applied map[types.UID]applied
}

const (
	// maxWritten is how many of them are known: a cache is behind for a moment, and at most for those that are looked at in it.
	maxWritten = 10000
	// maxBehind is for how long a cache is waited for: after that its watch hangs, or the API server was set back, and whoever decides on what is old is refused.
	maxBehind = 30 * time.Second
)

// write is one.
type write struct {
	version string
	at      time.Time
}

// New returns an Applier that writes by c, which may have a cache. live reads without one: Secrets, and what the cache does not have.
func New(c client.Client, live client.Reader) *Applier {
	return &Applier{client: c, live: live, written: lru.New(maxWritten), applied: map[types.UID]applied{}}
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
	declared, found, err := a.look(ctx, owner, object)
	if err != nil {
		return err
	}
	sum, err := digest(declared)
	if err != nil {
		return err
	}
	if found != nil && (a.unchanged(found, sum) || a.stands(found, declared, sum)) {
		reflect.ValueOf(object).Elem().Set(reflect.ValueOf(found).Elem()) // both are what the scheme makes of the kind
		return nil
	}
	made, err := a.send(ctx, declared, sum, found)
	if err != nil {
		return fmt.Errorf("apply %s %s: %w", declared.GetKind(), object.GetName(), err)
	}
	a.remember(made, sum)
	return runtime.DefaultUnstructuredConverter.FromUnstructured(made.Object, object)
}

// ApplyOver is Apply, over the version of the object that its owner has read; empty: there was none. It is a conflict if the object was written since: see Again. One that
// was deleted is made again.
func (a *Applier) ApplyOver(ctx context.Context, owner, object client.Object, version string) error {
	declared, _, err := a.look(ctx, owner, object)
	if err != nil {
		return err
	}
	if version == "" {
		err = a.client.Create(ctx, declared, FieldOwner)
	} else {
		declared.SetResourceVersion(version)
		err = a.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(declared), FieldOwner, client.ForceOwnership)
	}
	if apierrors.IsAlreadyExists(err) {
		err = apierrors.NewConflict(schema.GroupResource{Resource: declared.GetKind()}, object.GetName(), err)
	}
	if err != nil {
		return fmt.Errorf("apply %s %s: %w", declared.GetKind(), object.GetName(), err)
	}
	return runtime.DefaultUnstructuredConverter.FromUnstructured(declared.Object, object)
}

// look returns the object as it is sent, and as it is, nil if there is none.
func (a *Applier) look(ctx context.Context, owner, object client.Object) (declared *unstructured.Unstructured, found client.Object, err error) {
	if err := controllerutil.SetControllerReference(owner, object, a.client.Scheme()); err != nil {
		return nil, nil, fmt.Errorf("set the owner of %s: %w", object.GetName(), err)
	}
	if declared, err = a.declaration(object); err != nil {
		return nil, nil, err
	}
	if found, err = a.read(ctx, declared); err != nil {
		return nil, nil, err
	}
	if found != nil && !metav1.IsControlledBy(found, owner) {
		return nil, nil, taken(declared.GetKind(), found)
	}
	return declared, found, nil
}

// read returns the object as it is, nil if there is none. That there is none is asked of the API itself: a cache may lag behind, or hold
// labelled objects only, and what belongs to somebody else must not be overwritten.
func (a *Applier) read(ctx context.Context, declared *unstructured.Unstructured) (client.Object, error) {
	empty, err := a.client.Scheme().New(declared.GroupVersionKind())
	if err != nil {
		return nil, fmt.Errorf("make an empty %s: %w", declared.GetKind(), err)
	}
	found := empty.(client.Object) //nolint:forcetypeassert // declared was made from one
	key := client.ObjectKeyFromObject(declared)
	if _, uncached := found.(*corev1.Secret); uncached {
		err = a.live.Get(ctx, key, found)
	} else if err = a.client.Get(ctx, key, found); apierrors.IsNotFound(err) {
		err = a.live.Get(ctx, key, found)
	}
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read %s %s: %w", declared.GetKind(), declared.GetName(), err)
	}
	return found, nil
}

func taken(kind string, found client.Object) error {
	e := &TakenError{Kind: kind, Name: found.GetName()}
	if by := metav1.GetControllerOf(found); by != nil {
		e.By = by.Kind + " " + by.Name
	}
	return e
}

// declaration is the object as it is sent: what a typed object says without having been told (an empty status, null times) is not ours.
func (a *Applier) declaration(object client.Object) (*unstructured.Unstructured, error) {
	gvk, err := a.client.GroupVersionKindFor(object)
	if err != nil {
		return nil, fmt.Errorf("find the kind of %s: %w", object.GetName(), err)
	}
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, fmt.Errorf("convert %s %s: %w", gvk.Kind, object.GetName(), err)
	}
	delete(fields, "status")
	dropNulls(fields)
	declared := &unstructured.Unstructured{Object: fields}
	declared.SetGroupVersionKind(gvk)
	for _, servers := range []string{"resourceVersion", "uid", "generation", "managedFields", "creationTimestamp"} {
		unstructured.RemoveNestedField(fields, "metadata", servers)
	}
	return declared, nil
}

func dropNulls(value any) {
	switch value := value.(type) {
	case map[string]any:
		for name, field := range value {
			if field == nil {
				delete(value, name)
				continue
			}
			dropNulls(field)
		}
	case []any:
		for _, item := range value {
			dropNulls(item)
		}
	}
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

// Finalizer makes the object have the finalizer, or not have it.
func (a *Applier) Finalizer(ctx context.Context, object client.Object, name string, wanted bool) error {
	if controllerutil.ContainsFinalizer(object, name) == wanted {
		return nil
	}
	before := object.DeepCopyObject().(client.Object) //nolint:forcetypeassert // a copy has its original's type
	if wanted {
		controllerutil.AddFinalizer(object, name)
	} else {
		controllerutil.RemoveFinalizer(object, name)
	}
	// A merge patch replaces the whole list, so it must be of the list that was read.
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := a.note(object, a.client.Patch(ctx, object, patch, FieldOwner)); err != nil {
		return fmt.Errorf("set the finalizer of %s: %w", object.GetName(), err)
	}
	return nil
}

// note remembers what a write, which ended with err, has made of an owner. That the owner has gone meanwhile is no error.
func (a *Applier) note(owner client.Object, err error) error {
	if err == nil {
		a.written.Add(owner.GetUID(), write{owner.GetResourceVersion(), time.Now()})
	}
	return client.IgnoreNotFound(err)
}

// Again answers the queue where a write failed. That the object has changed since it was read is no error: it is looked at anew, when the
// cache has it. Nor is it one that the operator stops.
func Again(err error) (reconcile.Result, error) {
	if apierrors.IsConflict(err) || errors.Is(err, context.Canceled) {
		return reconcile.Result{RequeueAfter: cacheLag}, nil
	}
	return reconcile.Result{}, err
}

// Status patches the status of after, if it differs from that of before; both are the same object. A conflict says that before is not what
// the object is now, so that what was decided on it may be wrong: see Again. It is not an error if the object has gone meanwhile.
func (a *Applier) Status(ctx context.Context, before, after client.Object) error {
	if equality.Semantic.DeepEqual(before, after) {
		return nil
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := a.note(after, a.client.Status().Patch(ctx, after, patch, FieldOwner)); err != nil {
		return fmt.Errorf("write the status of %s: %w", after.GetName(), err)
	}
	return nil
}

// Behind reports whether an owner as the cache has it is older than its last write: what is decided on it could not be written down. It is to be looked at anew when the
// cache has more, which the result says.
func (a *Applier) Behind(owner client.Object) (is bool, again reconcile.Result) {
	known, is := a.written.Get(owner.GetUID())
	if !is {
		return false, reconcile.Result{}
	}
	last := known.(write) //nolint:forcetypeassert // nothing else is added
	order, err := resourceversion.CompareResourceVersion(owner.GetResourceVersion(), last.version)
	if err != nil || order >= 0 || time.Since(last.at) > maxBehind {
		a.written.Remove(owner.GetUID())
		return false, reconcile.Result{}
	}
	return true, reconcile.Result{RequeueAfter: cacheLag / 2}
}
