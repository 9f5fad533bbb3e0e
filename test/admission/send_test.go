// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"
)

// send creates a manifest (POST), or applies it at the server (PATCH), as kubectl does with --dry-run=server --validate=strict: the text as it is, with what
// no object can hold.
func (s *server) send(t *testing.T, verb string, manifest []byte) error {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(manifest, o); err != nil {
		t.Fatalf("%v in\n%s", err, manifest)
	}
	gvk := o.GroupVersionKind()
	mapping, err := s.RESTMapper().RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		t.Fatal(err)
	}
	config := rest.CopyConfig(s.config)
	config.GroupVersion, config.NegotiatedSerializer, config.APIPath = new(gvk.GroupVersion()), scheme.Codecs.WithoutConversion(), "/apis"
	if gvk.Group == "" {
		config.APIPath = "/api"
	}
	api, err := rest.RESTClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	request := api.Post().SetHeader("Content-Type", "application/yaml")
	if verb == http.MethodPatch {
		request = api.Patch(types.ApplyYAMLPatchType).Name(o.GetName()).Param("force", "false")
	}
	return request.Namespace("default").Resource(mapping.Resource.Resource).Param("dryRun", "All").Param("fieldValidation", "Strict").Param("fieldManager", "test").
		Body(manifest).Do(t.Context()).Error()
}

// block is a manifest in a page of docs/spec.
var block = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// written is what a page says in the words of the API: its manifests, and what is in backticks.
var written = regexp.MustCompile("(?s)```.*?```|`[^`]+`")

// elsewhere are what fields are of that are told of elsewhere: by the page of MQConsumerGroup, and by Kubernetes.
var elsewhere = map[string]bool{"consumers": true, "tolerations": true, "resources": true, "conditions": true}

// fieldsOf are the names of all fields below a schema.
func fieldsOf(schema *apiextensionsv1.JSONSchemaProps) (names []string) {
	for name, field := range schema.Properties {
		names = append(names, name)
		if !elsewhere[name] {
			names = append(names, fieldsOf(&field)...)
		}
	}
	if schema.Items != nil && schema.Items.Schema != nil {
		names = append(names, fieldsOf(schema.Items.Schema)...)
	}
	return names
}

// testPages applies every manifest of docs/spec in the same way, and wants a page for each kind that begins with one of it and has every field of its spec and status.
func testPages(t *testing.T, api *server) {
	for kind, crd := range crds(t) {
		page := filepath.Join("..", "..", "docs", "spec", crd.Spec.Versions[0].Name, crd.Spec.Names.Plural+".md")
		text, err := os.ReadFile(page)
		if err != nil {
			t.Error(err)
			continue
		}
		for n, match := range block.FindAllSubmatch(text, -1) {
			if n == 0 && !bytes.Contains(match[1], []byte("kind: "+kind+"\n")) {
				t.Errorf("%s does not begin with a %s", page, kind)
			}
			if err := api.send(t, http.MethodPatch, match[1]); err != nil {
				t.Errorf("%s: %v in\n%s", page, err, match[1])
			}
		}
		code := bytes.Join(written.FindAll(text, -1), nil)
		for _, part := range []string{"spec", "status"} {
			schema := schemaOf(crd).Properties[part]
			for _, field := range fieldsOf(&schema) {
				if !regexp.MustCompile(`\b` + field + `\b`).Match(code) {
					t.Errorf("%s does not have the field %s of %s", page, field, part)
				}
			}
		}
	}
}

// testSamples applies every sample at the server, dry, with strict validation.
func testSamples(t *testing.T, api *server) {
	files, err := filepath.Glob(filepath.Join("..", "..", "config", "samples", "*", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	for _, file := range files {
		if filepath.Base(file) == "kustomization.yaml" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
		for {
			document, err := reader.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := api.send(t, http.MethodPatch, document); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
}
