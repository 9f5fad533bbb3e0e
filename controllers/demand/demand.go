// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package demand is somebody's wish to have an object looked at at once and whole, by the annotation orderflow.dev/reconcile-at.
//
//	annotation changes ─Changed─▶ a reconcile, which spares nothing while the wish is Pending ─Heard─▶ status.lastHandledReconcileAt
//
// A look that found brokers away has been made as well: what came of it the conditions say.
package demand

import (
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
)

// longest is what a status holds of a value.
const longest = 256

func of(object client.Object) string {
	value := object.GetAnnotations()[v1alpha1.ReconcileAtAnnotation]
	return strings.ToValidUTF8(value[:min(len(value), longest)], "") // no half of a character, which no status could hold
}

// Pending reports whether there is a wish that was not heard yet; handled is the status's.
func Pending(object client.Object, handled string) bool {
	value := of(object)
	return value != "" && value != handled
}

// Heard is what the status says once the object was looked at. An annotation that was removed is no wish.
func Heard(object client.Object, handled string) string {
	if Pending(object, handled) {
		return of(object)
	}
	return handled
}

// Changed lets through another spec, and another wish.
func Changed() predicate.Predicate {
	return predicate.Or(predicate.GenerationChangedPredicate{}, predicate.Funcs{
		UpdateFunc: func(e event.UpdateEvent) bool { return of(e.ObjectOld) != of(e.ObjectNew) },
	})
}
