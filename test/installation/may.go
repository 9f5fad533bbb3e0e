// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
)

// May asks the API server what somebody may do.
func (i *Installation) May(t testing.TB, spec authorizationv1.SubjectAccessReviewSpec) bool {
	t.Helper()
	review := &authorizationv1.SubjectAccessReview{Spec: spec}
	i.Create(t, review)
	return review.Status.Allowed
}

// AwaitMay waits until somebody may do what a binding has just given them: the API server's authorizer follows roles and
// bindings by watches of its own.
func (i *Installation) AwaitMay(t testing.TB, spec authorizationv1.SubjectAccessReviewSpec) {
	t.Helper()
	Within(t, time.Minute, spec.User+" may do what was given to them", func() bool { return i.May(t, spec) })
}

// first is one thing that the rule allows.
func first(rule rbacv1.PolicyRule) *authorizationv1.ResourceAttributes {
	attributes := &authorizationv1.ResourceAttributes{Group: rule.APIGroups[0], Resource: rule.Resources[0], Verb: rule.Verbs[0]}
	if len(rule.ResourceNames) > 0 {
		attributes.Name = rule.ResourceNames[0]
	}
	return attributes
}
