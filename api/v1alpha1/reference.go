// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// LocalObjectReference names an object of a fixed kind in the same namespace.
type LocalObjectReference struct {
	// name of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	Name string `json:"name,omitempty"`
}

// ConsumerGroupLabel has, on all that is made for an MQConsumerGroup and on its pods, that object's name.
const ConsumerGroupLabel = "orderflow.dev/consumer-group"

// CredentialLabel marks, with the value "true", a Secret that OrderFlow may use, so that nobody can have an arbitrary Secret sent to a
// server of their choice by naming it in an adapter.
const CredentialLabel = "orderflow.dev/credential"

// AllowedHostsAnnotation lists, separated by commas, the hosts a credential Secret may be sent to: host names without a
// port, or "*.example.com" for one level of sub-domains. The host of the adapter's URL (or of each name server) has to match.
const AllowedHostsAnnotation = "orderflow.dev/allowed-hosts"

// ReconcileAtAnnotation on any of the kinds, with whatever value it does not have yet, as the time of day, has the object looked at at once and whole: what was verified at the
// brokers a moment ago is verified again. status.lastHandledReconcileAt is that value once it was done; what came of it is in the conditions.
const ReconcileAtAnnotation = "orderflow.dev/reconcile-at"

// DeletionPolicy says what becomes of an object on the broker when the object that declared it is deleted.
// +kubebuilder:validation:Enum=Retain;Delete
type DeletionPolicy string

const (
	// DeletionRetain leaves topic or group, with messages and offsets, on the broker.
	DeletionRetain DeletionPolicy = "Retain"
	// DeletionDelete removes it from every broker, once no message in it is unconsumed.
	DeletionDelete DeletionPolicy = "Delete"
)

// AdoptionPolicy says what to do with a topic or group of the declared name that exists already and was not made by this object.
// +kubebuilder:validation:Enum=Never;Adopt;Migrate
type AdoptionPolicy string

const (
	// AdoptionNever reports Conflict and touches nothing.
	AdoptionNever AdoptionPolicy = "Never"
	// AdoptionAdopt takes it over once no foreign member is online.
	AdoptionAdopt AdoptionPolicy = "Adopt"
	// AdoptionMigrate joins beside foreign members and takes over queue by queue as they leave.
	AdoptionMigrate AdoptionPolicy = "Migrate"
)
