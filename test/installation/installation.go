// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
)

// Operator is the user that the operator is.
const Operator = "system:serviceaccount:orderflow-system:orderflow-manager"

// Installation is an API server with OrderFlow's manifests.
type Installation struct {
	// Admin may do everything.
	Admin client.Client

	environment *envtest.Environment
	scheme      *kruntime.Scheme
}

// Environment is an API server with OrderFlow's CRDs, which is not started yet. Where all packages are compiled and tested at once it takes its time.
func Environment() (*envtest.Environment, error) {
	if _, err := assets(); err != nil {
		return nil, err
	}
	const ample = 3 * time.Minute
	crds := envtest.CRDInstallOptions{Paths: []string{filepath.Join(Config(), "crd", "bases")}, ErrorIfPathMissing: true, MaxTime: ample}
	return &envtest.Environment{CRDInstallOptions: crds, ControlPlaneStartTimeout: ample, ControlPlaneStopTimeout: ample}, nil
}

// Start starts an API server until the test ends, and applies kustomizations of config/ to it.
func Start(t testing.TB, dirs ...string) *Installation {
	t.Helper()
	environment, err := Environment()
	must(t, err)
	i := &Installation{environment: environment, scheme: kruntime.NewScheme()}
	must(t, clientgoscheme.AddToScheme(i.scheme), v1alpha1.AddToScheme(i.scheme))
	config, err := i.environment.Start()
	if err != nil {
		t.Fatalf("start the API server: %v", err)
	}
	t.Cleanup(func() {
		if err := i.environment.Stop(); err != nil {
			t.Errorf("stop the API server: %v", err)
		}
	})
	i.Admin, err = client.New(config, client.Options{Scheme: i.scheme})
	must(t, err)
	for _, dir := range dirs {
		for _, object := range Manifests(t, dir) {
			if kind := object.GetKind(); kind == "CustomResourceDefinition" || kind == "Deployment" {
				continue
			}
			i.Create(t, object)
		}
	}
	return i
}

// Create creates objects as the admin.
func (i *Installation) Create(t testing.TB, objects ...client.Object) {
	t.Helper()
	for _, object := range objects {
		if err := i.Admin.Create(t.Context(), object, client.FieldValidation(metav1.FieldValidationStrict)); err != nil {
			t.Fatalf("create %T %s: %v", object, object.GetName(), err)
		}
	}
}

// Namespace creates a namespace.
func (i *Installation) Namespace(t testing.TB, name string) string {
	t.Helper()
	i.Create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	return name
}

// User is the configuration of a client of that name and those groups.
func (i *Installation) User(t testing.TB, name string, groups ...string) *rest.Config {
	t.Helper()
	user, err := i.environment.AddUser(envtest.User{Name: name, Groups: groups}, nil)
	must(t, err)
	return user.Config()
}

// Client is the client of a user who may do what the rules say, in the namespace.
func (i *Installation) Client(t testing.TB, name, namespace string, rules ...rbacv1.PolicyRule) client.Client {
	t.Helper()
	c, err := client.New(i.User(t, name), client.Options{Scheme: i.scheme, Mapper: i.Admin.RESTMapper()})
	must(t, err)
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Rules: rules}
	i.Create(t, role, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}},
	})
	may := first(rules[0])
	may.Namespace = namespace
	i.AwaitMay(t, authorizationv1.SubjectAccessReviewSpec{User: name, ResourceAttributes: may})
	return c
}

// Within polls, as API servers and operators work on their own, and tells what was not so in time.
func Within(t testing.TB, limit time.Duration, what string, done func() bool) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for !done() {
		select {
		case <-ctx.Done():
			t.Errorf("not within %s: %s", limit, what)
			return false
		case <-time.After(100 * time.Millisecond):
		}
	}
	return true
}

// Config is the folder config/.
func Config() string {
	_, here, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(here), "..", "..", "config")
}

// Manifests are what kubectl makes of a kustomization in config/.
func Manifests(t testing.TB, dir string) []*unstructured.Unstructured {
	t.Helper()
	binaries, err := assets()
	must(t, err)
	out, err := exec.CommandContext(t.Context(), filepath.Join(binaries, "kubectl"), "kustomize", filepath.Join(Config(), dir)).Output()
	if err != nil {
		if exit := new(exec.ExitError); errors.As(err, &exit) {
			err = errors.New(string(exit.Stderr))
		}
		t.Fatalf("kubectl kustomize config/%s: %v", dir, err)
	}
	var objects []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(out), 4096)
	for {
		object := &unstructured.Unstructured{}
		if err := decoder.Decode(object); errors.Is(err, io.EOF) {
			return objects
		} else if err != nil {
			t.Fatalf("read the manifests of config/%s: %v", dir, err)
		}
		objects = append(objects, object)
	}
}

func assets() (string, error) {
	dir := os.Getenv("KUBEBUILDER_ASSETS")
	if dir == "" {
		return "", errors.New("KUBEBUILDER_ASSETS is not set: run `make test`, or point it at the folder that `go run ./hack/local assets` prints")
	}
	return dir, nil
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}
