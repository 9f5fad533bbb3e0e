// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/tls"
	"net/http"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/test/installation"
)

// wantMetricsGuarded asks for the operator's metrics as nobody, as somebody, and as who was given the role for it.
func wantMetricsGuarded(t *testing.T, i *installation.Installation, address string) {
	t.Helper()
	i.Create(t, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "prometheus"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "orderflow-metrics-reader"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "shop", Name: "prometheus"}},
	})
	i.AwaitMay(t, authorizationv1.SubjectAccessReviewSpec{
		User: "system:serviceaccount:shop:prometheus", NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: "/metrics", Verb: "get"},
	})
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // it makes its certificate itself
	defer transport.CloseIdleConnections()
	for sentence, c := range map[string]struct {
		token string
		want  int
	}{
		"without a token":            {"", http.StatusUnauthorized},
		"with a token of nobody":     {"nobody's", http.StatusInternalServerError}, // so says controller-runtime where the API server cannot read it
		"with a token of somebody":   {token(t, i, "somebody"), http.StatusForbidden},
		"with a token of the role's": {token(t, i, "prometheus"), http.StatusOK},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+address+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.token != "" {
			request.Header.Set("Authorization", "Bearer "+c.token)
		}
		answer, err := transport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != c.want {
			t.Errorf("metrics %s: %s, want %d", sentence, answer.Status, c.want)
		}
	}
}

// token is one of a new service account.
func token(t *testing.T, i *installation.Installation, name string) string {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
	i.Create(t, account)
	request := &authenticationv1.TokenRequest{}
	if err := i.Admin.SubResource("token").Create(t.Context(), account, request); err != nil {
		t.Fatal(err)
	}
	return request.Status.Token
}
