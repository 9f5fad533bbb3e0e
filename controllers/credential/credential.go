// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package credential

import (
	"context"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/result"
)

// Use is a use that is made of a Secret.
type Use struct {
	// Name of the Secret.
	Name types.NamespacedName
	// Field that names the Secret, for messages: "spec.auth.basic.secretRef".
	Field string
	// Keys the Secret must have.
	Keys []string
	// Hosts it is sent to.
	Hosts []string
}

// lookAgain is how soon a Secret that cannot be used is looked at again: nothing tells us that it changed.
const lookAgain = 10 * time.Second

// Read reads the Secret and checks that it may be used so. The Secret is nil unless the result is done.
func Read(ctx context.Context, secrets client.Reader, use Use) (*corev1.Secret, result.Result) {
	secret := &corev1.Secret{}
	switch err := secrets.Get(ctx, use.Name, secret); {
	case apierrors.IsNotFound(err):
		secret = nil
	case err != nil:
		return nil, result.Fail(v1alpha1.ReasonNotRead, err, "reading Secret %s", use.Name.Name)
	}
	if r := Check(secret, use); !r.IsDone() {
		return nil, r
	}
	return secret, result.Result{}
}

// Check says whether the Secret, nil if there is none, may be used so.
func Check(secret *corev1.Secret, use Use) result.Result {
	name := use.Name.Name
	if secret == nil {
		return stall(v1alpha1.ReasonSecretNotFound, "%s names Secret %q, which does not exist: create it with the keys %s, or correct the name",
			use.Field, name, strings.Join(use.Keys, " and "))
	}
	if secret.Labels[v1alpha1.CredentialLabel] != "true" {
		return stall(v1alpha1.ReasonSecretNotAllowed, "Secret %q may not be used: its owner has to allow it with 'kubectl label secret %s %s=true'",
			name, name, v1alpha1.CredentialLabel)
	}
	allowed := secret.Annotations[v1alpha1.AllowedHostsAnnotation]
	for _, host := range use.Hosts {
		if !allows(allowed, host) {
			return stall(v1alpha1.ReasonSecretNotAllowed, "Secret %q may not be sent to host %q: its owner has to add the host to its annotation %s, which now says %q",
				name, host, v1alpha1.AllowedHostsAnnotation, allowed)
		}
	}
	for _, key := range use.Keys {
		if len(secret.Data[key]) == 0 {
			return stall(v1alpha1.ReasonSecretKeyMissing, "Secret %q has no key %q, or it is empty: %s needs %s",
				name, key, use.Field, strings.Join(use.Keys, " and "))
		}
	}
	return result.Result{}
}

func stall(reason, format string, args ...any) result.Result {
	return result.Stall(reason, format, args...).Again(lookAgain)
}

// allows reports whether the annotation's list has the host, by name or by "*.domain" for one level below it.
func allows(annotation, host string) bool {
	host = strings.ToLower(strings.Trim(host, "[]"))
	return slices.ContainsFunc(strings.Split(annotation, ","), func(entry string) bool {
		entry = strings.ToLower(strings.Trim(strings.TrimSpace(entry), "[]"))
		if domain, isWildcard := strings.CutPrefix(entry, "*."); isWildcard {
			label, rest, found := strings.Cut(host, ".")
			return found && label != "" && rest == domain
		}
		return entry != "" && entry == host
	})
}
