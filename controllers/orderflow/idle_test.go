// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package orderflow

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/apply"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/suite"
)

func TestALookAtAFlowWhereNothingChangedWritesNothing(t *testing.T) {
	w := newWorld(t)
	writes := &suite.Counter{Client: w.Client}
	w.Applier = apply.New(writes, w.Client)
	flow := w.Flow("order-paid", w.topic())
	w.Create(t, flow)
	w.settle(t, flow)
	group := w.Group("order-paid-push", "")
	w.Read(t, group)
	says(result.Result{})(group)
	if err := w.Status().Update(t.Context(), group); err != nil {
		t.Fatal(err)
	}
	w.step(t, flow)
	if answer := w.step(t, flow); answer.RequeueAfter <= interval*11/10 || answer.RequeueAfter > VerifyEvery*3/2 {
		t.Errorf("it is looked at again in %v, want to about %v", answer.RequeueAfter, VerifyEvery)
	}
	writes.Writes()
	for range 3 {
		w.later += 2 * VerifyEvery
		w.step(t, flow)
	}
	if got := writes.Writes(); len(got) > 0 {
		t.Errorf("nothing changed, and it wrote %q", got)
	}
	w.Applier = apply.New(writes, w.Client)
	w.step(t, flow)
	if got := writes.Writes(); len(got) > 0 {
		t.Errorf("nothing changed while another operator took over, and it wrote %q", got)
	}
}

func TestAFlowIsLookedAtSoonWhereNobodyTellsOfWhatChanges(t *testing.T) {
	now := time.Now()
	flow := &v1alpha1.OrderFlow{}
	flow.Spec.Topic.ExpectTraffic = &v1alpha1.TrafficExpectation{Within: metav1.Duration{Duration: time.Hour}}
	for sentence, c := range map[string]struct {
		heard *traffic
		want  time.Duration
	}{
		"nobody listens":                {nil, quietInterval},
		"the topic has fallen silent":   {&traffic{last: now.Add(-2 * time.Hour)}, interval},
		"it is silent in ten minutes":   {&traffic{last: now.Add(-50 * time.Minute)}, 10 * time.Minute},
		"it is silent after next look":  {&traffic{last: now}, quietInterval},
		"brokers did not tell anything": {&traffic{unread: result.Wait("Any", 0, "")}, interval},
	} {
		if got := listenAgain(flow, c.heard, quietInterval, now); got != c.want {
			t.Errorf("%s: looked at in %v, want %v", sentence, got, c.want)
		}
	}
	for sentence, c := range map[string]struct {
		spec v1alpha1.MQClusterSpec
		want bool
	}{
		"neither key nor certificate": {v1alpha1.MQClusterSpec{}, false},
		"a key":                       {v1alpha1.MQClusterSpec{ACL: &v1alpha1.MQClusterACL{}}, true},
		"certificates":                {v1alpha1.MQClusterSpec{TLS: &v1alpha1.MQClusterTLS{}}, true},
	} {
		if got := secret(&v1alpha1.MQCluster{Spec: c.spec}); got != c.want {
			t.Errorf("the binding has %s: of Secrets %t, want %t", sentence, got, c.want)
		}
	}
}
