// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package budget_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/controllers/budget"
)

func group(adapter string, change func(*v1alpha1.MQConsumerGroup)) v1alpha1.MQConsumerGroup {
	var g v1alpha1.MQConsumerGroup
	g.Spec.Handler.Push = &v1alpha1.PushHandler{AdapterRef: v1alpha1.LocalObjectReference{Name: adapter}}
	if change != nil {
		change(&g)
	}
	return g
}

func TestPods(t *testing.T) {
	replicas := func(n int32) func(*v1alpha1.MQConsumerGroup) {
		return func(g *v1alpha1.MQConsumerGroup) { g.Spec.Replicas = &n }
	}
	scaling := func(n int32) func(*v1alpha1.MQConsumerGroup) {
		return func(g *v1alpha1.MQConsumerGroup) { g.Spec.Scaling = &v1alpha1.Scaling{MaxReplicas: n} }
	}
	for name, test := range map[string]struct {
		groups []v1alpha1.MQConsumerGroup
		want   int32
	}{
		"no group, no pod":                                           {nil, 0},
		"a group that says nothing has one pod":                      {[]v1alpha1.MQConsumerGroup{group("sms", nil)}, 1},
		"a fixed group counts with its replicas":                     {[]v1alpha1.MQConsumerGroup{group("sms", replicas(3))}, 3},
		"a group at zero replicas has no pod":                        {[]v1alpha1.MQConsumerGroup{group("sms", replicas(0))}, 0},
		"a scaling group counts with its maximum":                    {[]v1alpha1.MQConsumerGroup{group("sms", scaling(8))}, 8},
		"groups add up":                                              {[]v1alpha1.MQConsumerGroup{group("sms", scaling(8)), group("sms", replicas(2))}, 10},
		"a group of another adapter does not count":                  {[]v1alpha1.MQConsumerGroup{group("sms", nil), group("points", scaling(8))}, 1},
		"a shadow calls nobody":                                      {[]v1alpha1.MQConsumerGroup{group("sms", nil), group("sms", func(g *v1alpha1.MQConsumerGroup) { g.Spec.Dispatch = v1alpha1.DispatchShadow })}, 1},
		"a group that is being deleted counts while it has its pods": {[]v1alpha1.MQConsumerGroup{group("sms", func(g *v1alpha1.MQConsumerGroup) { g.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} })}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := budget.Pods("sms", test.groups); got != test.want {
				t.Errorf("got %d pods, want %d", got, test.want)
			}
		})
	}
}

func adapter(rate, burst, concurrency int32, period time.Duration) *v1alpha1.ThirdPartyAdapterSpec {
	spec := &v1alpha1.ThirdPartyAdapterSpec{
		Timeout: metav1.Duration{Duration: 3 * time.Second},
		Retry:   v1alpha1.RequestRetry{MaxAttempts: 2, BudgetPercentage: 20, InitialDelay: metav1.Duration{Duration: 100 * time.Millisecond}},
		CircuitBreaker: v1alpha1.CircuitBreaker{
			FailurePercentage: 50, MinimumRequests: 10,
			Window: metav1.Duration{Duration: 10 * time.Second}, OpenDuration: metav1.Duration{Duration: time.Second},
		},
	}
	if rate > 0 {
		spec.RateLimit = &v1alpha1.RateLimit{Requests: rate, Burst: burst, Period: metav1.Duration{Duration: period}}
	}
	if concurrency > 0 {
		spec.Concurrency = &v1alpha1.AdapterConcurrency{Max: concurrency}
	}
	return spec
}

func TestOnePodsPart(t *testing.T) {
	for name, test := range map[string]struct {
		spec           *v1alpha1.ThirdPartyAdapterSpec
		pods           int32
		rate           float64
		burst          int
		concurrency    int
		share          v1alpha1.AdapterShare
		oversubscribed bool
	}{
		"no limit stays no limit":                   {spec: adapter(0, 0, 0, 0), pods: 4, share: v1alpha1.AdapterShare{Pods: 4}},
		"rate, burst and concurrency are divided":   {spec: adapter(100, 20, 50, time.Second), pods: 4, rate: 25, burst: 5, concurrency: 12, share: v1alpha1.AdapterShare{Pods: 4, RequestsPerSecond: "25", Concurrency: 12}},
		"a rate need not be whole":                  {spec: adapter(100, 1, 0, time.Second), pods: 3, rate: 100.0 / 3, burst: 1, share: v1alpha1.AdapterShare{Pods: 3, RequestsPerSecond: "33.33333"}},
		"a rate per minute is a rate per second":    {spec: adapter(90, 1, 0, time.Minute), pods: 3, rate: 0.5, burst: 1, share: v1alpha1.AdapterShare{Pods: 3, RequestsPerSecond: "0.5"}},
		"no pod may be left without a request":      {spec: adapter(10, 3, 3, time.Second), pods: 5, rate: 2, burst: 1, concurrency: 1, share: v1alpha1.AdapterShare{Pods: 5, RequestsPerSecond: "2", Concurrency: 1}, oversubscribed: true},
		"without pods it is the whole, not a crash": {spec: adapter(10, 3, 3, time.Second), pods: 0, rate: 10, burst: 3, concurrency: 3, share: v1alpha1.AdapterShare{RequestsPerSecond: "10", Concurrency: 3}},
	} {
		t.Run(name, func(t *testing.T) {
			got := budget.Limits("sms", test.spec, test.pods)
			want := worker.AdapterLimits{
				Name: "sms", Timeout: worker.Duration(3 * time.Second), RequestAttempts: 2, RetryDelay: worker.Duration(100 * time.Millisecond), RetryPercentage: 20,
				Breaker:           worker.Breaker{FailurePercentage: 50, MinimumRequests: 10, Window: worker.Duration(10 * time.Second), OpenDuration: worker.Duration(time.Second)},
				RequestsPerSecond: test.rate, Burst: test.burst, Concurrency: test.concurrency,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("limits (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.share, budget.Share(test.spec, test.pods)); diff != "" {
				t.Errorf("share (-want +got):\n%s", diff)
			}
			if got := budget.Oversubscribed(test.spec, test.pods); got != test.oversubscribed {
				t.Errorf("oversubscribed is %t, want %t", got, test.oversubscribed)
			}
		})
	}
}

func TestAdaptiveConcurrencyIsToldToThePods(t *testing.T) {
	spec := adapter(0, 0, 10, 0)
	for mode, want := range map[v1alpha1.ConcurrencyMode]bool{v1alpha1.ConcurrencyFixed: false, v1alpha1.ConcurrencyAdaptive: true} {
		spec.Concurrency.Mode = mode
		if got := budget.Limits("sms", spec, 2); got.Adaptive != want || got.Concurrency != 5 {
			t.Errorf("%s: got %+v, want adaptive %t and 5 of 10", mode, got, want)
		}
	}
}

func TestASlowRequestIsOneWhereItIsDeclared(t *testing.T) {
	spec := adapter(0, 0, 0, 0)
	if got := budget.Limits("sms", spec, 4).Breaker.SlowRequest; got != 0 {
		t.Errorf("undeclared: got %v, want none", got.D())
	}
	spec.CircuitBreaker.SlowRequestDuration = &metav1.Duration{Duration: time.Second}
	if got := budget.Limits("sms", spec, 4).Breaker.SlowRequest; got.D() != time.Second {
		t.Errorf("got %v, want the 1s declared", got.D())
	}
}

func TestAllPodsTogetherStayBelowTheAccount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pods := rapid.Int32Range(1, 2000).Draw(t, "pods")
		rate := rapid.Int32Range(1, 1_000_000).Draw(t, "rate")
		spec := adapter(rate, rapid.Int32Range(1, 1_000_000).Draw(t, "burst"), rapid.Int32Range(1, 100_000).Draw(t, "concurrency"),
			time.Duration(rapid.IntRange(1, 3600).Draw(t, "seconds"))*time.Second)
		one := budget.Limits("sms", spec, pods)

		account := float64(rate) / spec.RateLimit.Period.Seconds()
		if total := one.RequestsPerSecond * float64(pods); total > account*(1+1e-9) {
			t.Errorf("%d pods may make %f requests/s, the account %f", pods, total, account)
		}
		if total := int32(one.Concurrency) * pods; total > spec.Concurrency.Max && !budget.Oversubscribed(spec, pods) {
			t.Errorf("%d pods may have %d requests in flight, the account %d, and nobody says so", pods, total, spec.Concurrency.Max)
		}
		live := worker.Live{Version: worker.Version, Revision: "r", Adapters: []worker.AdapterLimits{one}}
		if err := live.Validate(); err != nil {
			t.Errorf("a worker would refuse it: %v", err)
		}
	})
}
