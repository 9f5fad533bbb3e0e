// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
)

// FieldOwner is the manager under which OrderFlow's fields are recorded.
const FieldOwner = client.FieldOwner("orderflow")

// Applier writes the objects that owners of OrderFlow's kinds want.
type Applier struct {
	client client.Client
	live   client.Reader
}

// New returns an Applier that writes by c and reads by live, a reader without a cache.
func New(c client.Client, live client.Reader) *Applier { return &Applier{client: c, live: live} }

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

// Apply writes one object for its owner and reads the result back into it. *TakenError: it exists and is not the owner's.
func (a *Applier) Apply(ctx context.Context, owner, object client.Object) error {
	if err := controllerutil.SetControllerReference(owner, object, a.client.Scheme()); err != nil {
		return fmt.Errorf("set the owner of %s: %w", object.GetName(), err)
	}
	declared, err := a.declaration(object)
	if err != nil {
		return err
	}
	kind := declared.GetKind()
	found := &metav1.PartialObjectMetadata{}
	found.SetGroupVersionKind(declared.GroupVersionKind())
	switch err := a.live.Get(ctx, client.ObjectKeyFromObject(object), found); {
	case apierrors.IsNotFound(err):
	case err != nil:
		return fmt.Errorf("read %s %s: %w", kind, object.GetName(), err)
	case !metav1.IsControlledBy(found, owner):
		return taken(kind, found)
	}
	if err := a.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(declared), FieldOwner, client.ForceOwnership); err != nil {
		return fmt.Errorf("apply %s %s: %w", kind, object.GetName(), err)
	}
	return runtime.DefaultUnstructuredConverter.FromUnstructured(declared.Object, object)
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
	if err := a.client.List(ctx, list, append(opts, client.InNamespace(owner.GetNamespace()))...); err != nil {
		return fmt.Errorf("list what may be left over: %w", err)
	}
	return meta.EachListItem(list, func(item runtime.Object) error {
		object := item.(client.Object) //nolint:forcetypeassert // what a client lists are objects
		if slices.Contains(keep, object.GetName()) || !metav1.IsControlledBy(object, owner) || object.GetDeletionTimestamp() != nil {
			return nil
		}
		// The UID makes sure that what is deleted is what was looked at; the cache may lag behind.
		err := a.client.Delete(ctx, object, client.Preconditions{UID: new(object.GetUID())}, client.PropagationPolicy(metav1.DeletePropagationBackground))
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			return fmt.Errorf("delete %s: %w", object.GetName(), err)
		}
		return nil
	})
}

// Status patches the status of after, if it differs from that of before; both are the same object. It is not an error if the object has
// gone meanwhile.
func (a *Applier) Status(ctx context.Context, before, after client.Object) error {
	if equality.Semantic.DeepEqual(before, after) {
		return nil
	}
	if err := a.client.Status().Patch(ctx, after, client.MergeFrom(before), FieldOwner); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("write the status of %s: %w", after.GetName(), err)
	}
	return nil
}
