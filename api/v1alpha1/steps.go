// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import "slices"

// Step is what the steps of all handlers have in common. It is no part of any object.
// +kubebuilder:object:generate=false
type Step struct {
	// Field is the path of the step below the spec, as a user would look for it: "handler.warehouse.steps[create-waybill]".
	Field string
	// Adapter is the name of the ThirdPartyAdapter.
	Adapter string
}

// Steps lists the handler's steps in their order. A typed handler without a list of steps has one.
func (h *Handler) Steps() []Step {
	switch {
	case h.Push != nil:
		return []Step{{"handler.push", h.Push.AdapterRef.Name}}
	case h.Credit != nil:
		return []Step{{"handler.credit", h.Credit.AdapterRef.Name}}
	case h.Marketing != nil:
		return []Step{{"handler.marketing", h.Marketing.AdapterRef.Name}}
	case h.Warehouse != nil:
		steps := make([]Step, 0, len(h.Warehouse.Steps))
		for _, step := range h.Warehouse.Steps {
			steps = append(steps, Step{"handler.warehouse.steps[" + step.Name + "]", step.AdapterRef.Name})
		}
		return steps
	case h.HTTP != nil:
		steps := make([]Step, 0, len(h.HTTP.Steps))
		for _, step := range h.HTTP.Steps {
			steps = append(steps, Step{"handler.http.steps[" + step.Name + "]", step.AdapterRef.Name})
		}
		return steps
	}
	return nil
}

// Adapters lists the names of the ThirdPartyAdapters the handler refers to, sorted, each once.
func (h *Handler) Adapters() []string {
	steps := h.Steps()
	names := make([]string, 0, len(steps))
	for _, step := range steps {
		names = append(names, step.Adapter)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
