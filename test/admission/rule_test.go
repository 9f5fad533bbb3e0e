// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/yaml"
)

var crdDir = filepath.Join("..", "..", "config", "crd", "bases")

// rule is one CEL rule of a CRD: the same sentence may stand at several fields.
type rule struct{ kind, path, message string }

// crdSchemas are the schemas of the CRDs, by kind.
func crdSchemas(t *testing.T) map[string]*apiextensionsv1.JSONSchemaProps {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(crdDir, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no CRDs in %s: %v", crdDir, err)
	}
	schemas := map[string]*apiextensionsv1.JSONSchemaProps{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var crd apiextensionsv1.CustomResourceDefinition
		if err := yaml.UnmarshalStrict(data, &crd); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		schemas[crd.Spec.Names.Kind] = crd.Spec.Versions[0].Schema.OpenAPIV3Schema
	}
	return schemas
}

// crdRules collects every CEL rule of every CRD.
func crdRules(t *testing.T) []rule {
	t.Helper()
	var rules []rule
	for kind, schema := range crdSchemas(t) {
		walk(schema, "", func(path string, s *apiextensionsv1.JSONSchemaProps) {
			for _, v := range s.XValidations {
				rules = append(rules, rule{kind, path, v.Message})
			}
		})
	}
	return rules
}

// walk visits a schema and all below it.
func walk(s *apiextensionsv1.JSONSchemaProps, path string, visit func(path string, s *apiextensionsv1.JSONSchemaProps)) {
	visit(path, s)
	for name, p := range s.Properties {
		walk(&p, strings.TrimPrefix(path+"."+name, "."), visit)
	}
	if s.Items != nil && s.Items.Schema != nil {
		walk(s.Items.Schema, path+"[]", visit)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		walk(s.AdditionalProperties.Schema, path+"[]", visit)
	}
	for i := range s.AllOf {
		walk(&s.AllOf[i], path, visit)
	}
}

var index = regexp.MustCompile(`\[[^]]*\]`)

// reachedBy are the rules that refused a manifest, of those that exist.
func reachedBy(refused error, kind string, rules []rule) []rule {
	var status *apierrors.StatusError
	if !errors.As(refused, &status) || status.ErrStatus.Details == nil {
		return nil
	}
	var reached []rule
	for _, cause := range status.ErrStatus.Details.Causes {
		path := index.ReplaceAllString(strings.TrimPrefix(cause.Field, "<nil>"), "[]")
		for _, r := range rules {
			if r.kind == kind && r.path == path && strings.HasSuffix(cause.Message, r.message) {
				reached = append(reached, r)
			}
		}
	}
	return reached
}

// wantAllReached wants a case for every rule. What is proved for MQConsumerGroup is proved for OrderFlow: both embed the same ConsumerTemplate.
func wantAllReached(t *testing.T, rules []rule, reached map[rule]bool) {
	t.Helper()
	for _, r := range rules {
		inGroup := rule{"MQConsumerGroup", strings.Replace(r.path, "spec.consumers[]", "spec", 1), r.message}
		switch {
		case r.message == "":
			t.Errorf("%s: a rule of %q has no message", r.kind, r.path)
		case !reached[r] && (r.kind != "OrderFlow" || !reached[inGroup]):
			t.Errorf("%s: no case reaches the rule %q of %q", r.kind, r.message, r.path)
		}
	}
}

func TestEveryCRDIsSmallEnoughForPlainApply(t *testing.T) {
	const limit = 200 << 10
	files, _ := filepath.Glob(filepath.Join(crdDir, "*.yaml"))
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() >= limit {
			t.Errorf("%s has %d bytes; kubectl apply keeps a copy in an annotation of at most %d", file, info.Size(), limit)
		}
	}
}
