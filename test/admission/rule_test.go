// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

var crdDir = filepath.Join("..", "..", "config", "crd", "bases")

// rule is one CEL rule of a CRD, named by its message.
type rule struct{ kind, message string }

// crdRules collects every CEL rule of every CRD.
func crdRules(t *testing.T) []rule {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(crdDir, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no CRDs in %s: %v", crdDir, err)
	}
	var rules []rule
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var crd apiextensionsv1.CustomResourceDefinition
		if err := yaml.UnmarshalStrict(data, &crd); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		collectRules(crd.Spec.Versions[0].Schema.OpenAPIV3Schema, func(message string) {
			if r := (rule{crd.Spec.Names.Kind, message}); !slices.Contains(rules, r) {
				rules = append(rules, r)
			}
		})
	}
	return rules
}

func collectRules(s *apiextensionsv1.JSONSchemaProps, found func(message string)) {
	for _, v := range s.XValidations {
		found(v.Message)
	}
	for _, p := range s.Properties {
		collectRules(&p, found)
	}
	if s.Items != nil && s.Items.Schema != nil {
		collectRules(s.Items.Schema, found)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		collectRules(s.AdditionalProperties.Schema, found)
	}
	for i := range s.AllOf {
		collectRules(&s.AllOf[i], found)
	}
}

func TestEveryRuleHasAMessageAndACase(t *testing.T) {
	reached := map[rule]bool{}
	for _, c := range cases {
		reached[rule{c.kind, c.message}] = true
	}
	for _, r := range crdRules(t) {
		switch {
		case r.message == "":
			t.Errorf("%s: a rule has no message", r.kind)
		case !reached[r] && !reachedInFlow(r, reached):
			t.Errorf("%s: no case reaches the rule %q", r.kind, r.message)
		}
	}
}

// reachedInFlow accepts for OrderFlow what is proved for MQConsumerGroup: both embed the same ConsumerTemplate.
func reachedInFlow(r rule, reached map[rule]bool) bool {
	return r.kind == "OrderFlow" && reached[rule{"MQConsumerGroup", r.message}]
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
