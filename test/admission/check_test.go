// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

var crdDir = filepath.Join("..", "..", "config", "crd", "bases")

// check is one thing that the schema of a kind asks for at a path, "[]" for each element. sort is required, enum, minimum, …, or cel.
type check struct {
	kind, path, sort string
	// rule and message are of sort cel.
	rule, message string
}

func (c check) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s: %s %s", c.kind, cmp.Or(c.path, "(the object)"), c.sort, c.message))
}

// crds are the CRDs by their kind.
func crds(t *testing.T) map[string]*apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(crdDir, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no CRDs in %s: %v", crdDir, err)
	}
	all := map[string]*apiextensionsv1.CustomResourceDefinition{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(data, crd); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[crd.Spec.Names.Kind] = crd
	}
	return all
}

func schemaOf(crd *apiextensionsv1.CustomResourceDefinition) *apiextensionsv1.JSONSchemaProps {
	return crd.Spec.Versions[0].Schema.OpenAPIV3Schema
}

// crdChecks are all that users' manifests are checked for. Types are left out, with the formats of numbers, which are types: they are Go's. Of an
// OrderFlow's consumers those are left out that MQConsumerGroup has too: both embed the same ConsumerTemplate.
func crdChecks(t *testing.T) []check {
	t.Helper()
	var all []check
	for kind, crd := range crds(t) {
		walk(schemaOf(crd), "", func(path string, s *apiextensionsv1.JSONSchemaProps) {
			if path != "status" && !strings.HasPrefix(path, "status.") {
				all = append(all, checksOf(kind, path, s)...)
			}
		})
	}
	return slices.DeleteFunc(slices.Clone(all), func(c check) bool {
		inGroup := c
		inGroup.kind, inGroup.path = "MQConsumerGroup", strings.Replace(c.path, "spec.consumers[]", "spec", 1)
		return c.kind == "OrderFlow" && inGroup.path != c.path && slices.Contains(all, inGroup)
	})
}

// checksOf are those of one schema, without what is below it.
func checksOf(kind, path string, s *apiextensionsv1.JSONSchemaProps) (all []check) {
	for sort, is := range map[string]bool{
		"enum": len(s.Enum) > 0, "minimum": s.Minimum != nil, "maximum": s.Maximum != nil, "minLength": s.MinLength != nil, "maxLength": s.MaxLength != nil,
		"pattern": s.Pattern != "", "minItems": s.MinItems != nil, "maxItems": s.MaxItems != nil, "maxProperties": s.MaxProperties != nil,
		"format": s.Format == "date-time", "unique": s.XListType != nil && *s.XListType != "atomic",
	} {
		if is {
			all = append(all, check{kind: kind, path: path, sort: sort})
		}
	}
	for _, name := range s.Required {
		all = append(all, check{kind: kind, path: strings.TrimPrefix(path+"."+name, "."), sort: "required"})
	}
	for _, v := range s.XValidations {
		all = append(all, check{kind: kind, path: path, sort: "cel", rule: v.Rule, message: v.Message})
	}
	return all
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

// causes are what the API server says is wrong with a manifest. That it looked no further is not among them.
func causes(refused error) []metav1.StatusCause {
	var status *apierrors.StatusError
	if !errors.As(refused, &status) || status.ErrStatus.Details == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(status.ErrStatus.Details.Causes), func(c metav1.StatusCause) bool {
		return strings.Contains(c.Message, "some validation rules were not checked")
	})
}

var (
	index    = regexp.MustCompile(`\[[^]]*\]`)
	quantity = regexp.MustCompile(`[.](limits|requests)[.].*$`)
	// words are how the API server says what is wrong, where the type of the cause does not.
	words = map[string]string{
		"should be greater than or equal to": "minimum", "should be less than or equal to": "maximum", "should be at least": "minLength", "should match": "pattern",
		"should have at least": "minItems", "must be of type date-time": "format",
	}
)

// pathOf is the path in a schema of a field that the API server names.
func pathOf(field string) string {
	return quantity.ReplaceAllString(index.ReplaceAllString(strings.TrimPrefix(field, "<nil>"), "[]"), ".$1[]")
}

// broken is the check that a cause speaks of.
func broken(kind string, cause metav1.StatusCause, all []check) (check, bool) {
	path := pathOf(cause.Field)
	if cause.Type == metav1.CauseTypeFieldValueDuplicate {
		path = strings.TrimSuffix(path, "[]") // the list is the one that is to be unique
	}
	at := slices.IndexFunc(all, func(c check) bool {
		if c.kind != kind || c.path != path {
			return false
		}
		switch cause.Type {
		case metav1.CauseTypeFieldValueRequired:
			return c.sort == "required"
		case metav1.CauseTypeFieldValueNotSupported:
			return c.sort == "enum"
		case metav1.CauseTypeFieldValueDuplicate:
			return c.sort == "unique"
		case metav1.CauseTypeTooLong:
			return c.sort == "maxLength"
		case metav1.CauseTypeTooMany:
			return c.sort == "maxItems" || c.sort == "maxProperties"
		}
		for said, sort := range words {
			if strings.Contains(cause.Message, said) && !isRule(cause.Message, all) {
				return c.sort == sort
			}
		}
		return c.sort == "cel" && strings.HasSuffix(cause.Message, c.message)
	})
	if at < 0 {
		return check{}, false
	}
	return all[at], true
}

// isRule says whether a message is one of our own sentences.
func isRule(message string, all []check) bool {
	return slices.ContainsFunc(all, func(c check) bool { return c.sort == "cel" && strings.HasSuffix(message, c.message) })
}

// old are the fields that a rule compares with what they were.
var old = regexp.MustCompile(`oldSelf[.]([a-zA-Z.]+[a-zA-Z])`)

// wantAllChanged wants an update, refused, of every field that a rule compares with what it was.
func wantAllChanged(t *testing.T, all []check, refused []invalid) {
	t.Helper()
	for _, c := range all {
		for _, field := range old.FindAllStringSubmatch(c.rule, -1) {
			path := pathOf(strings.Replace(c.path, "[]", ".0", 1) + "." + field[1])
			if !slices.ContainsFunc(refused, func(r invalid) bool {
				return r.kind == c.kind && r.Was != nil && r.Message == c.message && slices.ContainsFunc(slices.Collect(maps.Keys(r.Set)), func(set string) bool {
					return set == path || strings.HasPrefix(set, path+".")
				})
			}) {
				t.Errorf("no update in test/invalid changes %s of %s, which cannot change", path, c.kind)
			}
		}
	}
}

// wantAllBroken wants every check to refuse a manifest, and says how many do.
func wantAllBroken(t *testing.T, all []check, found map[check]bool) {
	t.Helper()
	covered, of := map[string]int{}, map[string]int{}
	for _, c := range all {
		of[c.sort]++
		switch {
		case c.sort == "cel" && c.message == "":
			t.Errorf("%v: the rule has no message: %s", c, c.rule)
		case !found[c]:
			t.Errorf("no manifest in test/invalid is refused by %v", c)
		default:
			covered[c.sort]++
		}
	}
	for _, sort := range slices.Sorted(maps.Keys(of)) {
		t.Logf("%-13s %3d/%d", sort, covered[sort], of[sort])
	}
	t.Logf("%-13s %3d/%d", "all checks", len(found), len(all))
}
