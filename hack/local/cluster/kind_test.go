// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/kind/pkg/apis/config/defaults"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"

	"github.com/orderflow-dev/orderflow/hack/local/part"
	"github.com/orderflow-dev/orderflow/hack/local/version"
)

// TestKindConfigIsOne decodes hack/kind.yaml as kind itself does: into its own types, with no unknown field.
func TestKindConfigIsOne(t *testing.T) {
	store, err := part.Open(t.Output())
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(store.Root, "hack", "kind.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	var config v1alpha4.Cluster
	if err := decoder.Decode(&config); err != nil {
		t.Fatal(err)
	}
	v1alpha4.SetDefaultsCluster(&config)
	if config.APIVersion != "kind.x-k8s.io/v1alpha4" || config.Kind != "Cluster" || config.Name != kindName {
		t.Errorf("it is a %s %s named %q, want a kind.x-k8s.io/v1alpha4 Cluster named %q", config.APIVersion, config.Kind, config.Name, kindName)
	}
	if len(config.Nodes) != 1 {
		t.Errorf("%d nodes, want 1: images are loaded onto one, and RocketMQ has its address", len(config.Nodes))
	}
}

func TestKindRunsTheMinorReleaseThatTheOtherWayRuns(t *testing.T) {
	minor := version.Kubernetes[:strings.LastIndex(version.Kubernetes, ".")]
	if !strings.HasPrefix(defaults.Image, "kindest/node:"+minor+".") {
		t.Errorf("kind's node image is %s, and the other way runs %s", defaults.Image, version.Kubernetes)
	}
}

func TestRocketMQsManifestsAreValidAndServeTheSharedName(t *testing.T) {
	manifests, err := rocketmqManifests()
	if err != nil {
		t.Fatal(err)
	}
	objects := decode(t, manifests)
	var services []string
	pods := map[string]map[string]string{}
	for _, object := range objects {
		switch o := object.(type) {
		case *corev1.Service:
			services = append(services, o.Name+"."+o.Namespace+".svc.cluster.local:9876")
			if o.Spec.ClusterIP != corev1.ClusterIPNone {
				t.Errorf("Service %s is not headless, and only then its name resolves to the broker's own address", o.Name)
			}
			pods["service"] = o.Spec.Selector
		case *appsv1.Deployment:
			pods["deployment"] = o.Spec.Template.Labels
		}
	}
	if len(services) != 1 || services[0] != NameServer {
		t.Errorf("Services %q, want %q", services, NameServer)
	}
	if pods["service"]["app"] != pods["deployment"]["app"] {
		t.Errorf("the Service selects %v, its pods are %v", pods["service"], pods["deployment"])
	}
}

// decode reads objects strictly: unknown and duplicate fields are errors.
func decode(t *testing.T, manifests []byte) []runtime.Object {
	t.Helper()
	decoder := serializer.NewCodecFactory(clientgoscheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(manifests)))
	var objects []runtime.Object
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatal(err)
		}
		object, _, err := decoder.Decode(document, nil, nil)
		if err != nil {
			t.Fatalf("%v in:\n%s", err, document)
		}
		objects = append(objects, object)
	}
}
