// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kruntime "k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/apply"
	"github.com/orderflow-dev/orderflow/controllers/topology"
	"github.com/orderflow-dev/orderflow/test/installation"
)

// server is this test binary's API server. It is the package's one global.
var server struct { //nolint:gochecknoglobals // tests of a binary have no other place in common
	stopped bool // Main runs and will stop what is started here

	once        sync.Once
	environment *envtest.Environment
	client      client.WithWatch
	err         error
}

// Main runs a package's tests, stops the API server if they started one, and checks that no goroutine is left.
func Main(m *testing.M) { goleak.VerifyTestMain(tests{m}) }

// tests are a package's tests with the API server stopped after them.
type tests struct{ *testing.M }

func (t tests) Run() int {
	server.stopped = true
	code := t.M.Run()
	if server.environment == nil {
		return code
	}
	if err := server.environment.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop the API server:", err)
		return max(code, 1)
	}
	return code
}

func start() (client.WithWatch, error) {
	environment, err := installation.Environment()
	if err != nil {
		return nil, err
	}
	scheme := kruntime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	config, err := environment.Start()
	if err != nil {
		return nil, err
	}
	server.environment = environment
	live, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	return indexed{live}, err
}

// Suite is what one test works with.
type Suite struct {
	// Client reads and writes without a cache.
	client.Client
	// Namespace is the test's own.
	Namespace string
	Applier   *apply.Applier
	Connector *topology.Connector
	Recorder  *events.FakeRecorder

	stands time.Time // the clock, while Quiet looks
}

// New returns a test's part of the API server.
func New(t testing.TB) *Suite {
	t.Helper()
	if !server.stopped {
		t.Fatal("the API server would be left running: add func TestMain(m *testing.M) { suite.Main(m) } to this package")
	}
	server.once.Do(func() { server.client, server.err = start() })
	if server.err != nil {
		t.Fatalf("start an API server: %v", server.err)
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	if err := server.client.Create(t.Context(), namespace); err != nil {
		t.Fatalf("create a namespace: %v", err)
	}
	c := watched(t, server.client)
	s := &Suite{
		Client:    c,
		Namespace: namespace.Name,
		Applier:   apply.New(c, c),
		Connector: &topology.Connector{Secrets: server.client},
		Recorder:  events.NewFakeRecorder(1000),
	}
	t.Cleanup(func() {
		s.Connector.Close()
		s.forgetClusters(t)
	})
	return s
}

// forgetClusters ends what the test's objects claim: namespaces stay, and a broker of a later test may get the port of one of this test's.
func (s *Suite) forgetClusters(t testing.TB) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.DeleteAllOf(ctx, &v1alpha1.MQCluster{}, client.InNamespace(s.Namespace)); err != nil {
		t.Errorf("delete the test's MQClusters: %v", err)
	}
}

// Now is a clock for reconcilers; it has the precision that a metav1.Time keeps.
func (s *Suite) Now() time.Time {
	if !s.stands.IsZero() {
		return s.stands
	}
	return time.Now().Truncate(time.Second)
}

// Quiet wants a reconcile that finds everything as it was, the clock included, to write nothing to the object and to send no event.
func (s *Suite) Quiet(t testing.TB, object client.Object, reconcile func()) {
	t.Helper()
	s.stands = s.Now()
	defer func() { s.stands = time.Time{} }()
	reconcile()
	s.Read(t, object)
	before := object.DeepCopyObject().(client.Object) //nolint:forcetypeassert // a copy has its original's type
	s.Events()
	reconcile()
	s.Read(t, object)
	if object.GetResourceVersion() != before.GetResourceVersion() {
		t.Errorf("%T %s was written although nothing changed (-before +after):\n%s", object, object.GetName(), cmp.Diff(before, object))
	}
	if said := s.Events(); len(said) > 0 {
		t.Errorf("nothing changed, and the events are %q", said)
	}
}

// Create writes objects, each with the status it has.
func (s *Suite) Create(t testing.TB, objects ...client.Object) {
	t.Helper()
	for _, object := range objects {
		wanted := object.DeepCopyObject().(client.Object) //nolint:forcetypeassert // a copy has its original's type
		if err := s.Client.Create(t.Context(), object); err != nil {
			t.Fatalf("create %T %s: %v", object, object.GetName(), err)
		}
		wanted.SetResourceVersion(object.GetResourceVersion())
		if err := s.Status().Update(t.Context(), wanted); client.IgnoreNotFound(err) != nil {
			t.Fatalf("write the status of %T %s: %v", object, object.GetName(), err)
		}
		s.Read(t, object)
	}
}

// Read reads the object anew.
func (s *Suite) Read(t testing.TB, object client.Object) {
	t.Helper()
	if err := s.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
		t.Fatalf("read %T %s: %v", object, object.GetName(), err)
	}
}

// Write updates an object that was changed.
func (s *Suite) Write(t testing.TB, object client.Object) {
	t.Helper()
	if err := s.Update(t.Context(), object); err != nil {
		t.Fatalf("update %T %s: %v", object, object.GetName(), err)
	}
}

// Events returns the events sent since the last call, each as "Normal Reason message".
func (s *Suite) Events() []string {
	var list []string
	for {
		select {
		case event := <-s.Recorder.Events:
			list = append(list, event)
		default:
			return list
		}
	}
}

// WantCondition fails the test unless the condition has the status and reason, and its message contains each of the texts.
func WantCondition(t testing.TB, conditions []metav1.Condition, conditionType string, status metav1.ConditionStatus, reason string, texts ...string) {
	t.Helper()
	for _, c := range conditions {
		if c.Type != conditionType {
			continue
		}
		if c.Status != status || c.Reason != reason {
			t.Errorf("%s is %s with reason %s, want %s with reason %s\n\t%s", c.Type, c.Status, c.Reason, status, reason, c.Message)
		}
		for _, text := range texts {
			if !strings.Contains(c.Message, text) {
				t.Errorf("the message of %s is\n\t%s\nwhich does not contain\n\t%s", c.Type, c.Message, text)
			}
		}
		return
	}
	t.Errorf("there is no condition %s in %v", conditionType, conditions)
}
