// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package security

import (
	"maps"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/test/installation"
)

// references are all fields that name a Secret for the operator or a worker to use, each with an object in which it is the only one.
var references = map[string]func(namespace, secret string) *unstructured.Unstructured{
	"MQCluster spec.acl.secretRef": func(namespace, secret string) *unstructured.Unstructured {
		return object(namespace, "MQCluster", map[string]any{"nameServers": []any{"namesrv.rocketmq:9876"}, "acl": ref(secret)})
	},
	"MQCluster spec.tls.caSecretRef": func(namespace, secret string) *unstructured.Unstructured {
		return object(namespace, "MQCluster", map[string]any{"nameServers": []any{"namesrv.rocketmq:9876"}, "tls": map[string]any{"mode": "Verify", "caSecretRef": name(secret)}})
	},
	"ThirdPartyAdapter spec.tls.caSecretRef": func(namespace, secret string) *unstructured.Unstructured {
		o := adapter(namespace, "", "")
		set(o, map[string]any{"caSecretRef": name(secret)}, "spec", "tls")
		return o
	},
	"ThirdPartyAdapter spec.auth.apiKey.secretRef": auth("apiKey"),
	"ThirdPartyAdapter spec.auth.basic.secretRef":  auth("basic"),
	"ThirdPartyAdapter spec.auth.bearer.secretRef": auth("bearer"),
	"ThirdPartyAdapter spec.auth.hmac.secretRef":   auth("hmac"),
	"ThirdPartyAdapter spec.auth.mtls.secretRef":   auth("mtls"),
	"ThirdPartyAdapter spec.auth.oauth2.secretRef": auth("oauth2"),
}

// others are the fields that name a Secret and are no such reference, with the reason.
var others = map[string]string{
	"MQConsumerGroup spec.workload.imagePullSecrets":        "for the node alone; the policy of images has it",
	"OrderFlow spec.consumers.[].workload.imagePullSecrets": "for the node alone; the policy of images has it",
	"OrderFlow spec.producer.bindingSecretName":             "the operator writes it, and takes no Secret that is there",
}

var (
	writeAll = rbacv1.PolicyRule{
		APIGroups: []string{"orderflow.dev"}, Verbs: []string{"get", "create", "update", "patch"},
		Resources: []string{"mqclusters", "thirdpartyadapters", "mqconsumergroups", "orderflows"},
	}
	readOwn = rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{"own", "own-too"}, Verbs: []string{"get"}}
)

// TestEveryReferenceToASecretIsKnown looks through the CRDs for fields with Secret in their name.
func TestEveryReferenceToASecretIsKnown(t *testing.T) {
	found := map[string]bool{}
	for _, crd := range crds(t) {
		for _, version := range crd.Spec.Versions {
			walk(*version.Schema.OpenAPIV3Schema, "", func(path string) { found[crd.Spec.Names.Kind+" "+path] = true })
		}
	}
	known := slices.Concat(slices.Collect(maps.Keys(references)), slices.Collect(maps.Keys(others)))
	for field := range found {
		if !slices.Contains(known, field) {
			t.Errorf("%s names a Secret: add it to config/admission/secrets.yaml and to references here, or to others with the reason", field)
		}
	}
	for _, field := range known {
		if !found[field] {
			t.Errorf("there is no %s", field)
		}
	}
}

func walk(schema apiextensionsv1.JSONSchemaProps, path string, found func(string)) {
	for property, inner := range schema.Properties {
		at := strings.TrimPrefix(path+"."+property, ".")
		if strings.Contains(strings.ToLower(property), "secret") {
			found(at)
			continue
		}
		walk(inner, at, found)
	}
	if schema.Items != nil && schema.Items.Schema != nil {
		walk(*schema.Items.Schema, path+".[]", found)
	}
	if schema.AdditionalProperties != nil && schema.AdditionalProperties.Schema != nil {
		walk(*schema.AdditionalProperties.Schema, path+".{}", found)
	}
}

func testSecrets(t *testing.T, i *installation.Installation) {
	shop := i.Namespace(t, "secrets")
	anna := i.Client(t, "anna", shop, writeAll, readOwn)
	gitops := i.Client(t, "system:serviceaccount:flux-system:applier", shop, writeAll, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get"}})
	for field, make := range references {
		_, path, _ := strings.Cut(field, " ")
		t.Run(field, func(t *testing.T) {
			wantRefused(t, anna.Create(t.Context(), make(shop, "theirs"), client.DryRunAll), path, "theirs", "anna", shop)
			for sentence, c := range map[string]struct {
				who    client.Client
				secret string
			}{
				"whoever may read this one Secret may name it":          {anna, "own"},
				"a GitOps controller may name what it may read":         {gitops, "theirs"},
				"the admin may name one that is not there yet, as ever": {i.Admin, "missing"},
			} {
				if err := c.who.Create(t.Context(), make(shop, c.secret), client.DryRunAll); err != nil {
					t.Errorf("%s: %v", sentence, err)
				}
			}

			there := make(shop, "theirs")
			i.Create(t, there)
			change := func(change func(*unstructured.Unstructured)) error {
				o := there.DeepCopy()
				change(o)
				return anna.Update(t.Context(), o, client.DryRunAll)
			}
			if err := change(func(o *unstructured.Unstructured) { o.SetLabels(map[string]string{"team": "orders"}) }); err != nil {
				t.Errorf("what names a Secret already cannot be changed otherwise: %v", err)
			}
			named := func(secret string) func(*unstructured.Unstructured) {
				return func(o *unstructured.Unstructured) { o.Object["spec"] = make(shop, secret).Object["spec"] }
			}
			wantRefused(t, change(named("others")), path, "others", "anna", shop)
			if err := change(named("own-too")); err != nil {
				t.Errorf("another Secret that she may read: %v", err)
			}
			if err := i.Admin.Delete(t.Context(), there); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("a Secret that is named already is named anew in another field", func(t *testing.T) {
		trusted := references["ThirdPartyAdapter spec.tls.caSecretRef"](shop, "theirs")
		i.Create(t, trusted)
		set(trusted, authOf("bearer", "theirs"), "spec", "auth")
		wantRefused(t, anna.Update(t.Context(), trusted), "spec.auth.bearer.secretRef", "theirs", "anna", shop)
		unstructured.RemoveNestedField(trusted.Object, "spec", "auth")
		unstructured.RemoveNestedField(trusted.Object, "spec", "tls")
		if err := anna.Update(t.Context(), trusted); err != nil {
			t.Errorf("taking a reference away: %v", err)
		}
	})
	t.Run("two at once are both told", func(t *testing.T) {
		both := adapter(shop, "basic", "theirs")
		set(both, map[string]any{"caSecretRef": name("others")}, "spec", "tls")
		err := anna.Create(t.Context(), both)
		wantRefused(t, err, "spec.auth.basic.secretRef", "theirs", "anna", shop)
		wantRefused(t, err, "spec.tls.caSecretRef", "others", "anna", shop)
	})
}

func wantRefused(t *testing.T, err error, path, secret, user, namespace string) {
	t.Helper()
	if !apierrors.IsForbidden(err) {
		t.Errorf("%s = %s: got %v, want it forbidden", path, secret, err)
		return
	}
	for _, text := range []string{path + ` names Secret "` + secret + `"`, user + " may not get ", "Ask for the verb get on Secrets of that name in namespace " + namespace} {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("refused with\n\t%v\nwhich does not contain\n\t%s", err, text)
		}
	}
}

func auth(way string) func(namespace, secret string) *unstructured.Unstructured {
	return func(namespace, secret string) *unstructured.Unstructured { return adapter(namespace, way, secret) }
}

// adapter authenticates in that way, "" for not at all.
func adapter(namespace, way, secret string) *unstructured.Unstructured {
	o := object(namespace, "ThirdPartyAdapter", map[string]any{"url": "https://sms.example.com", "idempotency": map[string]any{"keys": "Honoured"}})
	if way != "" {
		set(o, authOf(way, secret), "spec", "auth")
	}
	return o
}

func authOf(way, secret string) map[string]any {
	union := map[string]string{"apiKey": "APIKey", "basic": "Basic", "bearer": "Bearer", "hmac": "HMAC", "mtls": "MTLS", "oauth2": "OAuth2"}
	how := ref(secret)
	if way == "oauth2" {
		how["tokenURL"] = "https://login.example.com/token"
	}
	return map[string]any{"type": union[way], way: how}
}

func ref(secret string) map[string]any { return map[string]any{"secretRef": name(secret)} }

func name(secret string) map[string]any { return map[string]any{"name": secret} }

func object(namespace, kind string, spec map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "orderflow.dev/v1alpha1", "kind": kind, "metadata": map[string]any{"namespace": namespace, "name": "it"}, "spec": spec,
	}}
}

func set(o *unstructured.Unstructured, value any, path ...string) {
	if err := unstructured.SetNestedField(o.Object, value, path...); err != nil {
		panic(err) // the path is the test's own
	}
}

func clientKey(name string) client.ObjectKey { return client.ObjectKey{Name: name} }
