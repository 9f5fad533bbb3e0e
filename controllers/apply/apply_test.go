// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package apply_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/apply"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/suite"
)

func TestMain(m *testing.M) { suite.Main(m) }

// counter counts what is applied.
type counter struct {
	client.Client
	applied int
}

func (c *counter) Patch(ctx context.Context, object client.Object, patch client.Patch, opts ...client.PatchOption) error {
	if patch.Type() == types.ApplyPatchType {
		c.applied++
	}
	return c.Client.Patch(ctx, object, patch, opts...)
}

// world is a namespace with two owners.
type world struct {
	*suite.Suite
	writes         *counter
	applier        *apply.Applier
	owner, another *v1alpha1.OrderFlow
}

func newWorld(t *testing.T) *world {
	s := suite.New(t)
	w := &world{Suite: s, writes: &counter{Client: s.Client}, owner: s.Flow("owner", "Orders"), another: s.Flow("another", "Orders")}
	w.applier = apply.New(w.writes, s.Client)
	w.Create(t, w.owner, w.another)
	return w
}

func (w *world) config(name string, data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: name, Labels: map[string]string{"mine": "yes"}}, Data: data}
}

func (w *world) apply(t *testing.T, object client.Object) {
	t.Helper()
	if err := w.applier.Apply(t.Context(), w.owner, object); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsUnchangedIsNotSentAgain(t *testing.T) {
	w := newWorld(t)
	for _, object := range []func() client.Object{
		func() client.Object { return w.config("config", map[string]string{"a": "1"}) },
		func() client.Object {
			return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "secret"}, Data: map[string][]byte{"a": []byte("1")}}
		},
		func() client.Object { return w.Group("group", "Orders") },
	} {
		first, second := object(), object()
		w.writes.applied = 0
		w.apply(t, first)
		w.apply(t, second)
		if w.writes.applied != 1 {
			t.Errorf("%T was sent %d times", first, w.writes.applied)
		}
		if second.GetUID() == "" || second.GetResourceVersion() != first.GetResourceVersion() {
			t.Errorf("%T was not read back where nothing was sent", first)
		}
	}
}

func TestWhatOthersChangeIsPutRightAndWhatTheyAddIsKept(t *testing.T) {
	w := newWorld(t)
	w.apply(t, w.config("config", map[string]string{"a": "1"}))
	changed := w.config("config", nil)
	w.Read(t, changed)
	changed.Data = map[string]string{"a": "2", "theirs": "3"}
	w.Write(t, changed)

	w.apply(t, w.config("config", map[string]string{"a": "1"}))
	w.Read(t, changed)
	if changed.Data["a"] != "1" || changed.Data["theirs"] != "3" {
		t.Errorf("the data are %v, want our field put right and theirs kept", changed.Data)
	}

	w.apply(t, w.config("config", map[string]string{"b": "1"}))
	w.Read(t, changed)
	if _, left := changed.Data["a"]; left || changed.Data["b"] != "1" || changed.Data["theirs"] != "3" {
		t.Errorf("the data are %v, want what we no longer declare gone", changed.Data)
	}
}

func TestWhatWasReadIsWrittenOverAndNothingElse(t *testing.T) {
	w := newWorld(t)
	over := func(version, value string) (string, error) {
		config := w.config("config", map[string]string{"a": value})
		err := w.applier.ApplyOver(t.Context(), w.owner, config, version)
		return config.ResourceVersion, err
	}
	first, err := over("", "1")
	if err != nil {
		t.Fatal(err)
	}
	second, err := over(first, "2")
	if err != nil || second == first {
		t.Fatalf("version %s was written over %s: %v", second, first, err)
	}
	for sentence, version := range map[string]string{"there was none": "", "it was another": first} {
		if _, err := over(version, "3"); !apierrors.IsConflict(err) {
			t.Errorf("%s: %v, want a conflict", sentence, err)
		}
	}
	left := w.config("config", nil)
	w.Read(t, left)
	if left.Data["a"] != "2" {
		t.Errorf("written was %v", left.Data)
	}
	if err := w.Delete(t.Context(), left); err != nil {
		t.Fatal(err)
	}
	if _, err := over(second, "3"); err != nil {
		t.Errorf("what was deleted is not made again: %v", err)
	}
	theirs := w.config("theirs", nil)
	w.Create(t, theirs)
	if err := w.applier.ApplyOver(t.Context(), w.owner, w.config("theirs", nil), theirs.ResourceVersion); !errors.As(err, new(*apply.TakenError)) {
		t.Errorf("what is theirs: %v", err)
	}
}

func TestWhatBelongsToOthersIsNotTouched(t *testing.T) {
	w := newWorld(t)
	w.Create(t, w.config("nobodys", nil))
	if err := w.applier.Apply(t.Context(), w.another, w.config("elses", nil)); err != nil {
		t.Fatal(err)
	}
	for name, by := range map[string]string{"nobodys": "", "elses": "OrderFlow another"} {
		w.writes.applied = 0
		err := w.applier.Apply(t.Context(), w.owner, w.config(name, map[string]string{"a": "1"}))
		var taken *apply.TakenError
		if !errors.As(err, &taken) || taken.By != by || taken.Kind != "ConfigMap" || taken.Name != name || w.writes.applied > 0 {
			t.Errorf("%s: the error is %v, and %d objects were sent", name, err, w.writes.applied)
		}
		if err := w.applier.Delete(t.Context(), w.owner, w.config(name, nil)); err != nil {
			t.Error(err)
		}
		w.Read(t, w.config(name, nil))
	}
}

// blind is a cache that lags behind, or holds other labels.
type blind struct{ client.Client }

func (blind) Get(_ context.Context, key client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
	return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
}

// reads counts what is read without a cache.
type reads struct {
	client.Reader
	n int
}

func (r *reads) Get(ctx context.Context, key client.ObjectKey, object client.Object, opts ...client.GetOption) error {
	r.n++
	return r.Reader.Get(ctx, key, object, opts...)
}

func TestWhatTheCacheDoesNotHaveIsMadeButNotWrittenOver(t *testing.T) {
	w := newWorld(t)
	w.apply(t, w.config("mine", map[string]string{"a": "1"}))
	w.Create(t, w.config("nobodys", nil))
	if err := w.applier.Apply(t.Context(), w.another, w.config("elses", nil)); err != nil {
		t.Fatal(err)
	}
	live := &reads{Reader: w.Client}
	w.applier = apply.New(blind{w.writes}, live)
	for name, by := range map[string]string{"nobodys": "", "elses": "OrderFlow another"} {
		err := w.applier.Apply(t.Context(), w.owner, w.config(name, map[string]string{"a": "1"}))
		var taken *apply.TakenError
		if !errors.As(err, &taken) || taken.By != by {
			t.Errorf("%s: the error is %v", name, err)
		}
		theirs := w.config(name, nil)
		if w.Read(t, theirs); len(theirs.Data) > 0 {
			t.Errorf("%s was written over: %v", name, theirs.Data)
		}
	}
	mine := w.config("mine", nil)
	w.Read(t, mine)
	same := w.config("mine", map[string]string{"a": "1"})
	if w.apply(t, same); same.ResourceVersion != mine.ResourceVersion {
		t.Error("what is as declared was written")
	}
	w.apply(t, w.config("mine", map[string]string{"a": "2"}))
	if w.Read(t, mine); mine.Data["a"] != "2" {
		t.Errorf("what is ours was not put right: %v", mine.Data)
	}
	for name, want := range map[string]bool{"nobodys": false, "mine": false, "another": true} {
		config := w.config(name, map[string]string{"a": "3"})
		if made, err := w.applier.Make(t.Context(), w.owner, config); made != want || err != nil {
			t.Errorf("%s is made: %t (%v)", name, made, err)
		}
		if w.Read(t, config); (config.Data["a"] == "3") != want {
			t.Errorf("%s has %v", name, config.Data)
		}
	}
	live.n, w.writes.applied = 0, 0
	w.apply(t, w.config("new", map[string]string{"a": "1"}))
	if live.n != 0 || w.writes.applied != 1 {
		t.Errorf("to make what there is not took %d reads and %d writes", live.n, w.writes.applied)
	}
}

func TestPruneDeletesWhatTheOwnerNoLongerWants(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"kept", "dropped"} {
		w.apply(t, w.config(name, nil))
	}
	if err := w.applier.Apply(t.Context(), w.another, w.config("elses", nil)); err != nil {
		t.Fatal(err)
	}
	w.Create(t, w.config("nobodys", nil))
	if err := w.applier.Prune(t.Context(), w.owner, &corev1.ConfigMapList{}, []string{"kept"}, client.MatchingLabels{"mine": "yes"}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"kept": true, "dropped": false, "elses": true, "nobodys": true} {
		err := w.Get(t.Context(), client.ObjectKey{Namespace: w.Namespace, Name: name}, &corev1.ConfigMap{})
		if (err == nil) != want || client.IgnoreNotFound(err) != nil {
			t.Errorf("%s is there: %t, want %t (%v)", name, err == nil, want, err)
		}
	}
	w.apply(t, w.config("dropped", nil)) // what was forgotten can be made again
	w.Read(t, w.config("dropped", nil))
}

func TestAFinalizerIsSetOnWhatWasRead(t *testing.T) {
	w := newWorld(t)
	stale := w.owner.DeepCopy()
	if err := w.applier.Finalizer(t.Context(), w.owner, "orderflow.dev/a", true); err != nil {
		t.Fatal(err)
	}
	if err := w.applier.Finalizer(t.Context(), stale, "orderflow.dev/b", true); !apierrors.IsConflict(err) {
		t.Errorf("a finalizer set on an old read would remove the others: %v, want a conflict", err)
	}
	if err := w.applier.Finalizer(t.Context(), w.owner, "orderflow.dev/a", false); err != nil || len(w.owner.Finalizers) != 0 {
		t.Errorf("the finalizers are %v (%v)", w.owner.Finalizers, err)
	}
}

func TestAStatusIsNotWrittenOverOneThatIsNewer(t *testing.T) {
	w := newWorld(t)
	before := w.owner.DeepCopy()
	stale := before.DeepCopy()
	say(w.owner, "seven")
	if err := w.applier.Status(t.Context(), before, w.owner); err != nil {
		t.Fatal(err)
	}
	say(stale, "six")
	answer, err := apply.Again(w.applier.Status(t.Context(), before, stale))
	if err != nil || answer.RequeueAfter == 0 {
		t.Errorf("the object is looked at again after %v, with error %v", answer.RequeueAfter, err)
	}
	if w.Read(t, w.owner); said(w.owner) != "seven" {
		t.Errorf("what was decided on an old read was written over what is newer")
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if answer, err := apply.Again(w.applier.Status(stopped, before, stale)); err != nil || answer.RequeueAfter == 0 {
		t.Errorf("an operator that stops in the middle of a write says %v, %+v", err, answer)
	}
	if _, err := apply.Again(errors.New("the API server is away")); err == nil {
		t.Error("another error is lost")
	}
}

func TestAStatusIsWrittenOnlyIfItChanged(t *testing.T) {
	w := newWorld(t)
	before := w.owner.DeepCopy()
	if err := w.applier.Status(t.Context(), before, w.owner); err != nil || w.owner.ResourceVersion != before.ResourceVersion {
		t.Errorf("an unchanged status was written (%v)", err)
	}
	say(w.owner, "seven")
	if err := w.applier.Status(t.Context(), before, w.owner); err != nil {
		t.Fatal(err)
	}
	if w.Read(t, w.owner); said(w.owner) != "seven" {
		t.Error("the status was not written")
	}
	if err := w.Delete(t.Context(), w.owner); err != nil {
		t.Fatal(err)
	}
	before = w.owner.DeepCopy()
	say(w.owner, "eight")
	if err := w.applier.Status(t.Context(), before, w.owner); err != nil {
		t.Errorf("an object that has gone is an error: %v", err)
	}
}

// say makes a status that says so.
func say(flow *v1alpha1.OrderFlow, text string) {
	flow.Status.ObservedGeneration = flow.Generation
	condition.Set(&flow.Status.Conditions, flow.Generation, time.Now(), condition.Summary(text)...)
}

func said(flow *v1alpha1.OrderFlow) string {
	if ready := meta.FindStatusCondition(flow.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
		return ready.Message
	}
	return ""
}

func TestWhatMayWaitIsWrittenWithWhatComesNext(t *testing.T) {
	w := newWorld(t)
	w.applier.Patient()
	before, after := w.owner.DeepCopy(), w.owner.DeepCopy()
	within := func(text string, pause time.Duration) time.Duration {
		t.Helper()
		say(after, text)
		left, err := w.applier.StatusWithin(t.Context(), before, after, pause)
		if err != nil {
			t.Fatal(err)
		}
		w.Read(t, w.owner)
		return left
	}
	if left := within("seven", time.Hour); left <= 0 || left > time.Hour || said(w.owner) != "" {
		t.Errorf("it waits for %v, and written is %q", left, said(w.owner))
	}
	recalled := before.DeepCopy()
	if w.applier.Recall(recalled); said(recalled) != "seven" {
		t.Errorf("recalled is %q", said(recalled))
	}
	edited := before.DeepCopy()
	edited.ResourceVersion = "7"
	if w.applier.Recall(edited); said(edited) != "" {
		t.Errorf("it has changed since, and recalled is %q", said(edited))
	}
	if left := within("eight", time.Nanosecond); left != 0 || said(w.owner) != "eight" {
		t.Errorf("the time is over: it waits for %v, and written is %q", left, said(w.owner))
	}
	if w.applier.Recall(before); said(before) != "" {
		t.Errorf("it was written, and recalled is %q", said(before))
	}
	before = after.DeepCopy()
	within("nine", time.Hour)
	if left := within("ten", 0); left != 0 || said(w.owner) != "ten" {
		t.Errorf("it must not wait, but waits for %v, and written is %q", left, said(w.owner))
	}
}

func TestAStatusIsOneFieldOfOneManager(t *testing.T) {
	w := newWorld(t)
	after := w.owner.DeepCopy()
	say(after, "seven")
	if err := errors.Join(w.applier.Status(t.Context(), w.owner, after), w.Get(t.Context(), client.ObjectKeyFromObject(after), after)); err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(after.ManagedFields, func(m metav1.ManagedFieldsEntry) bool { return m.Subresource == "status" })
	if i < 0 || after.ManagedFields[i].Manager != string(apply.FieldOwner) || after.ManagedFields[i].FieldsV1.GetRawString() != `{"f:status":{}}` {
		t.Errorf("its fields are managed as %v", after.ManagedFields)
	}
}

// refusing fails each write of a status.
type refusing struct{ client.Client }

func (r refusing) Status() client.SubResourceWriter { return refusal{r.Client.Status()} }

type refusal struct{ client.SubResourceWriter }

func (refusal) Update(context.Context, client.Object, ...client.SubResourceUpdateOption) error {
	return apierrors.NewInternalError(errors.New("etcd is away"))
}

func TestWhatCouldNotBeWrittenIsNotForgotten(t *testing.T) {
	w := newWorld(t)
	w.applier = apply.New(refusing{w.Client}, w.Client).Patient()
	before, after := w.owner.DeepCopy(), w.owner.DeepCopy()
	say(after, "seven")
	if left, err := w.applier.StatusWithin(t.Context(), before, after, time.Hour); left == 0 || err != nil {
		t.Fatalf("it waits for %v (%v)", left, err)
	}
	if _, err := w.applier.StatusWithin(t.Context(), before, after, time.Nanosecond); err == nil {
		t.Error("the write did not fail")
	}
	if w.applier.Recall(before); said(before) != "seven" {
		t.Errorf("recalled is %q", said(before))
	}
}

func TestWhatTheCacheHasNotSeenYetIsNotDecidedOn(t *testing.T) {
	w := newWorld(t)
	old := w.owner.DeepCopy()
	after := old.DeepCopy()
	say(after, "seven")
	if err := w.applier.Status(t.Context(), old, after); err != nil {
		t.Fatal(err)
	}
	if behind, again := w.applier.Behind(old); !behind || again.RequeueAfter <= 0 {
		t.Errorf("the version before the status that was written is behind: %t, and looked at again after %v", behind, again.RequeueAfter)
	}
	if behind, _ := w.applier.Behind(w.another); behind {
		t.Error("an object of which nothing was written is behind")
	}
	for range 2 { // and remains so
		if behind, _ := w.applier.Behind(after); behind {
			t.Error("the version that was written is behind")
		}
	}
}
