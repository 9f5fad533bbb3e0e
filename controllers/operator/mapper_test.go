// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"os"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
)

// TestEveryKindIsSoughtWhereItsCRDSaysItIsServed compares with the CRDs, whose files bear the plural.
func TestEveryKindIsSoughtWhereItsCRDSaysItIsServed(t *testing.T) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	known, err := mapper(scheme)
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range kinds() {
		gvk, err := apiutil.GVKForObject(object, scheme)
		if err != nil {
			t.Fatal(err)
		}
		found, err := known.RESTMapping(gvk.GroupKind(), gvk.Version)
		if err != nil {
			t.Error(err)
			continue
		}
		list := gvk.GroupKind()
		list.Kind += "List"
		if _, err := known.RESTMapping(list, gvk.Version); err != nil {
			t.Error(err)
		}
		if gvk.Group != v1alpha1.GroupVersion.Group {
			continue
		}
		if _, err := os.Stat("../../config/crd/bases/orderflow.dev_" + found.Resource.Resource + ".yaml"); err != nil {
			t.Errorf("%s is sought as %s: %v", gvk.Kind, found.Resource.Resource, err)
		}
	}
}
