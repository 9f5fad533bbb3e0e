// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package gitops

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	"sigs.k8s.io/yaml"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
)

func TestFluxKnowsEveryFieldOfTheExample(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(dir, "flux", "order-paid.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for document := range bytes.SplitSeq(text, []byte("\n---\n")) {
		var k kustomizev1.Kustomization
		if err := yaml.UnmarshalStrict(document, &k); err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		if k.APIVersion != kustomizev1.GroupVersion.String() || k.Kind != kustomizev1.KustomizationKind {
			t.Errorf("%s is a %s of %s", k.Name, k.Kind, k.APIVersion)
		}
		for _, on := range k.Spec.DependsOn {
			if !names[on.Name] {
				t.Errorf("%s waits for %s, which does not come before it", k.Name, on.Name)
			}
		}
		for _, check := range k.Spec.HealthChecks {
			if check.APIVersion != v1alpha1.GroupVersion.String() || kinds[check.Kind] == nil {
				t.Errorf("%s looks at a %s of %s, which OrderFlow does not have", k.Name, check.Kind, check.APIVersion)
			}
		}
		if !k.Spec.Wait && len(k.Spec.HealthChecks) == 0 {
			t.Errorf("%s is ready before what it applies is", k.Name)
		}
		names[k.Name] = true
	}
}
