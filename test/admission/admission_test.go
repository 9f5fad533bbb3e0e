// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"
)

// startAPIServer returns a client of a real API server with OrderFlow's CRDs.
func startAPIServer(t *testing.T) client.Client {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Fatal("KUBEBUILDER_ASSETS is not set: run `make test`, or point it at the folder that `go run ./hack/local assets` prints")
	}
	environment := &envtest.Environment{CRDDirectoryPaths: []string{crdDir}, ErrorIfCRDPathMissing: true}
	config, err := environment.Start()
	if err != nil {
		t.Fatalf("starting the API server: %v", err)
	}
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Errorf("stopping the API server: %v", err)
		}
	})
	api, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return api
}

func TestAdmission(t *testing.T) {
	api := startAPIServer(t)
	for kind := range valid {
		t.Run("a valid "+kind+" is accepted", func(t *testing.T) {
			if err := api.Create(t.Context(), object(t, kind, nil), client.DryRunAll, client.FieldValidation("Strict")); err != nil {
				t.Fatal(err)
			}
		})
	}
	rules, reached := crdRules(t), map[rule]bool{}
	for i, c := range cases {
		t.Run(c.sentence, func(t *testing.T) {
			name := fmt.Sprintf("case-%d", i)
			refused := write(t, api, c, name, c.refused)
			if !apierrors.IsInvalid(refused) && !apierrors.IsBadRequest(refused) {
				t.Fatalf("the manifest was not refused: %v", refused)
			}
			if !strings.Contains(refused.Error(), c.message) {
				t.Errorf("refused with\n\t%v\nwant the message\n\t%s", refused, c.message)
			}
			for _, r := range reachedBy(refused, c.kind, rules) {
				reached[r] = true
			}
			if c.accepted == nil {
				return
			}
			if err := write(t, api, c, name, c.accepted); err != nil {
				t.Errorf("the corrected manifest was refused: %v", err)
			}
		})
	}
	t.Run("every way to consume is accepted, or refused with its sentence", func(t *testing.T) { testProduct(t, api) })
	t.Run("every sentence about a way to consume is documented", func(t *testing.T) { wantDocumented(t, rules) })
	t.Run("a URL leads to who may be called", func(t *testing.T) { testURLs(t, api) })
	t.Run("every rule has a message and a case", func(t *testing.T) { wantAllReached(t, rules, reached) })
}

// write creates the case's manifest with patch, or, where the case is about a change, updates an object that has c.was.
func write(t *testing.T, api client.Client, c admissionCase, name string, patch fields) error {
	t.Helper()
	strict := client.FieldValidation("Strict")
	if c.was == nil {
		o := object(t, c.kind, patch)
		if _, named := patch["metadata.name"]; !named {
			o.SetName(name)
		}
		return api.Create(t.Context(), o, client.DryRunAll, strict)
	}
	old := object(t, c.kind, c.was)
	old.SetName(name)
	if err := api.Create(t.Context(), old); err != nil {
		t.Fatalf("creating the object to change: %v", err)
	}
	defer func() {
		// t.Context ends before clean-up; the object is only of this case.
		if err := api.Delete(context.WithoutCancel(t.Context()), old); err != nil {
			t.Errorf("deleting the object: %v", err)
		}
	}()
	changed := object(t, c.kind, patch)
	changed.SetName(name)
	changed.SetResourceVersion(old.GetResourceVersion())
	return api.Update(t.Context(), changed, client.DryRunAll, strict)
}

// object is the valid manifest of kind with patch applied.
func object(t *testing.T, kind string, patch fields) *unstructured.Unstructured {
	t.Helper()
	var content map[string]any
	if err := yaml.UnmarshalStrict([]byte(valid[kind]), &content); err != nil {
		t.Fatalf("the valid %s: %v", kind, err)
	}
	for path, value := range patch {
		set(t, content, strings.Split(path, "."), value)
	}
	return &unstructured.Unstructured{Object: content}
}

// set writes value, given as YAML, at path; "-" removes the field, and a step "0" is the first element of a list.
func set(t *testing.T, in map[string]any, path []string, value string) {
	t.Helper()
	head := path[0]
	if len(path) == 1 {
		if value == "-" {
			delete(in, head)
			return
		}
		var parsed any
		if err := yaml.Unmarshal([]byte(value), &parsed); err != nil {
			t.Fatalf("value of %s: %v", head, err)
		}
		in[head] = parsed
		return
	}
	switch next := in[head].(type) {
	case map[string]any:
		set(t, next, path[1:], value)
	case []any:
		set(t, next[0].(map[string]any), path[2:], value)
	default:
		created := map[string]any{}
		in[head] = created
		set(t, created, path[1:], value)
	}
}
