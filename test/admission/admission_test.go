// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/test/installation"
)

// server is a real API server with OrderFlow's CRDs.
type server struct {
	client.Client
	config *rest.Config
	valid  map[string]string
}

func startAPIServer(t *testing.T, valid map[string]string) *server {
	t.Helper()
	environment, err := installation.Environment()
	if err != nil {
		t.Fatal(err)
	}
	config, err := environment.Start()
	if err != nil {
		t.Fatalf("starting the API server: %v", err)
	}
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Errorf("stopping the API server: %v", err)
		}
	})
	config.QPS = -1
	api, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return &server{Client: api, config: config, valid: valid}
}

var strict = client.FieldValidation(metav1.FieldValidationStrict)

func TestAdmission(t *testing.T) {
	valid, refused := manifests(t)
	api := startAPIServer(t, valid)
	for kind, manifest := range valid {
		t.Run("a valid "+kind+" is accepted", func(t *testing.T) {
			if err := api.Create(t.Context(), object(t, manifest, nil), client.DryRunAll, strict); err != nil {
				t.Fatal(err)
			}
		})
	}
	all, found := crdChecks(t), map[check]bool{}
	same := map[string]string{}
	for i, c := range refused {
		t.Run(c.sentence, func(t *testing.T) {
			check, ok := testInvalid(t, api, c, fmt.Sprint("case-", i), all)
			if !ok {
				return
			}
			found[check] = true
			id := fmt.Sprint(check, slices.Sorted(maps.Keys(c.Set)))
			if other, twice := same[id]; twice {
				t.Errorf("%q is refused for the same field by the same check", other)
			}
			same[id] = c.sentence
		})
	}
	t.Logf("%d invalid manifests", len(refused))
	if len(refused) < 200 {
		t.Error("want 200 invalid manifests at least")
	}
	t.Run("every check refuses a manifest", func(t *testing.T) { wantAllBroken(t, all, found) })
	t.Run("every field that cannot change has an update that is refused", func(t *testing.T) { wantAllChanged(t, all, refused) })
	t.Run("every way to consume is accepted, or refused with its sentence", func(t *testing.T) { testProduct(t, api) })
	t.Run("every sentence about a way to consume is documented", func(t *testing.T) { wantDocumented(t, all) })
	t.Run("a URL leads to who may be called", func(t *testing.T) { testURLs(t, api) })
	t.Run("a name that RocketMQ keeps for itself is nobody's", func(t *testing.T) { testNames(t, api) })
	t.Run("every sample is accepted", func(t *testing.T) { testSamples(t, api) })
	t.Run("every manifest of docs/spec is accepted", func(t *testing.T) { testPages(t, api) })
	t.Run("a new object is on its way, whoever reads it", func(t *testing.T) { testNew(t, api) })
	t.Run("every kind can be served at v1beta1, too", func(t *testing.T) { testNextVersion(t, api) })
}

// testInvalid wants a manifest refused for its field, with its message, and accepted where it is corrected. ok is false where no check of a CRD refuses it,
// but strictness about fields that there are none of.
func testInvalid(t *testing.T, api *server, c invalid, name string, all []check) (by check, ok bool) {
	t.Helper()
	err := api.write(t, c, name, c.Set)
	if !apierrors.IsInvalid(err) && !apierrors.IsBadRequest(err) {
		t.Fatalf("the manifest was not refused: %v", err)
	}
	if c.Corrected != nil {
		if err := api.write(t, c, name, c.Corrected); err != nil {
			t.Errorf("the corrected manifest was refused: %v", err)
		}
	}
	if apierrors.IsBadRequest(err) {
		if !strings.Contains(err.Error(), c.Message) || !strings.Contains(c.Message, c.Field) {
			t.Errorf("refused with\n\t%v\nwant the message\n\t%s", err, c.Message)
		}
		return check{}, false
	}
	said := causes(err)
	at := slices.IndexFunc(said, func(cause metav1.StatusCause) bool {
		return strings.TrimPrefix(cause.Field, "<nil>") == c.Field && strings.Contains(cause.Message, c.Message)
	})
	if at < 0 {
		t.Fatalf("refused with\n\t%v\nwant %q refused with the message\n\t%s", err, c.Field, c.Message)
	}
	if by, ok = broken(c.kind, said[at], all); !ok {
		t.Errorf("no check of the CRD is known that says %q of %q", said[at].Message, c.Field)
	}
	return by, ok
}

// write creates a manifest with changes or, where the case is about an update, updates an object that has c.Was.
func (s *server) write(t *testing.T, c invalid, name string, changes map[string]any) error {
	t.Helper()
	if changes == nil {
		return s.send(t, http.MethodPost, []byte(c.Raw))
	}
	o := object(t, s.valid[c.kind], changes)
	if _, named := changes["metadata.name"]; !named {
		o.SetName(name)
	}
	if c.Was == nil {
		return s.Create(t.Context(), o, client.DryRunAll, strict)
	}
	old := object(t, s.valid[c.kind], c.Was)
	old.SetName(name)
	if err := s.Create(t.Context(), old); err != nil {
		t.Fatalf("creating the object to change: %v", err)
	}
	defer func() {
		// t.Context ends before clean-up; the object is only of this case.
		if err := s.Delete(context.WithoutCancel(t.Context()), old); err != nil {
			t.Errorf("deleting the object: %v", err)
		}
	}()
	o.SetResourceVersion(old.GetResourceVersion())
	return s.Update(t.Context(), o, client.DryRunAll, strict)
}
