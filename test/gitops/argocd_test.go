// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package gitops

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	lua "github.com/yuin/gopher-lua"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/result"
)

var dir = filepath.Join("..", "..", "config", "gitops")

// kinds make an object of each kind, suspended or not; those that cannot be suspended are not. They return its conditions and its observedGeneration.
var kinds = map[string]func(suspend *bool) (client.Object, *[]metav1.Condition, *int64){
	"MQCluster": func(*bool) (client.Object, *[]metav1.Condition, *int64) {
		o := &v1alpha1.MQCluster{}
		return o, &o.Status.Conditions, &o.Status.ObservedGeneration
	},
	"OrderFlow": func(*bool) (client.Object, *[]metav1.Condition, *int64) {
		o := &v1alpha1.OrderFlow{}
		return o, &o.Status.Conditions, &o.Status.ObservedGeneration
	},
	"MQConsumerGroup": func(suspend *bool) (client.Object, *[]metav1.Condition, *int64) {
		o := &v1alpha1.MQConsumerGroup{}
		o.Spec.Suspend = suspend
		return o, &o.Status.Conditions, &o.Status.ObservedGeneration
	},
	"ThirdPartyAdapter": func(suspend *bool) (client.Object, *[]metav1.Condition, *int64) {
		o := &v1alpha1.ThirdPartyAdapter{}
		o.Spec.Suspend = suspend
		return o, &o.Status.Conditions, &o.Status.ObservedGeneration
	},
	"DeadLetterReplay": func(suspend *bool) (client.Object, *[]metav1.Condition, *int64) {
		o := &v1alpha1.DeadLetterReplay{}
		o.Spec.Suspend = suspend
		return o, &o.Status.Conditions, &o.Status.ObservedGeneration
	},
}

func TestArgoCDReadsTheHealthOfEveryKindInEveryPhase(t *testing.T) {
	wait, stall := result.Wait("Slow", 0, "it takes time"), result.Stall("Wrong", "somebody has to act")
	suspendable := []string{"MQConsumerGroup", "ThirdPartyAdapter", "DeadLetterReplay"}
	group, adapter, flow := []string{"MQConsumerGroup"}, []string{"ThirdPartyAdapter"}, []string{"OrderFlow"}
	says := func(kind string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message}
	}
	draining := says(v1alpha1.ConditionDrained, metav1.ConditionFalse, v1alpha1.ReasonRetriesPending, "until noon")
	byAdapter := says(v1alpha1.ConditionParked, metav1.ConditionTrue, v1alpha1.ReasonAdapterSuspended, "sms is suspended")
	stuck := says(v1alpha1.ConditionQueueStuck, metav1.ConditionTrue, v1alpha1.ReasonQueueStandsStill, "queue 3 stands still")
	for sentence, test := range map[string]struct {
		kinds                           []string // nil: all
		results                         []result.Result
		also                            []metav1.Condition
		new, edited, deleted, suspended bool
		status, message                 string
	}{
		"new":                               {new: true, status: "Progressing", message: "not looked at yet"},
		"on its way":                        {results: []result.Result{wait}, status: "Progressing", message: "Slow: it takes time"},
		"unknown":                           {results: []result.Result{result.Fail("Unread", errors.New("timeout"), "reading")}, status: "Progressing", message: "Unread: reading: timeout"},
		"ready":                             {status: "Healthy", message: "Ready: all is well"},
		"stalled":                           {results: []result.Result{stall}, status: "Degraded", message: "Wrong: somebody has to act"},
		"edited since it was ready":         {edited: true, status: "Progressing", message: "not looked at yet"},
		"edited since it stalled":           {results: []result.Result{stall}, edited: true, status: "Progressing", message: "not looked at yet"},
		"being deleted":                     {results: []result.Result{wait}, deleted: true, status: "Progressing", message: "Slow: it takes time"},
		"being deleted, not looked at":      {edited: true, deleted: true, status: "Progressing", message: "being deleted"},
		"being deleted although stalled":    {results: []result.Result{stall}, deleted: true, status: "Progressing", message: "Wrong: somebody has to act"},
		"suspended":                         {kinds: suspendable, suspended: true, status: "Suspended", message: "Ready: all is well"},
		"suspended, and something is amiss": {kinds: suspendable, results: []result.Result{stall}, suspended: true, status: "Degraded", message: "Wrong: somebody has to act"},
		"suspended, and not drained":        {kinds: append(group, adapter...), also: []metav1.Condition{draining}, suspended: true, status: "Suspended", message: "RetriesPending: until noon"},
		"suspended with its adapter":        {kinds: group, also: []metav1.Condition{byAdapter, draining}, status: "Suspended", message: "RetriesPending: until noon"},
		"parked for another reason": {
			kinds: group, also: []metav1.Condition{says(v1alpha1.ConditionParked, metav1.ConditionTrue, v1alpha1.ReasonRateLimited, "at the limit")},
			status: "Healthy", message: "Ready: all is well",
		},
		"stuck in a queue":              {kinds: group, also: []metav1.Condition{stuck}, status: "Healthy", message: "Ready: all is well; QueueStandsStill: queue 3 stands still"},
		"stuck, and something is amiss": {kinds: group, results: []result.Result{stall}, also: []metav1.Condition{stuck}, status: "Degraded", message: "Wrong: somebody has to act"},
		"near the end of a retention": {
			kinds: group, also: []metav1.Condition{stuck, says(v1alpha1.ConditionRetentionAtRisk, metav1.ConditionTrue, v1alpha1.ReasonMessagesExpiring, "from noon on")},
			status: "Healthy", message: "Ready: all is well; QueueStandsStill: queue 3 stands still; MessagesExpiring: from noon on",
		},
		"with a third party that is down": {
			kinds: append(group, adapter...), also: []metav1.Condition{says(v1alpha1.ConditionThirdPartyDown, metav1.ConditionTrue, v1alpha1.ReasonCircuitOpen, "sms is down")},
			status: "Healthy", message: "Ready: all is well; CircuitOpen: sms is down",
		},
		"with a certificate that ends": {
			kinds: adapter, also: []metav1.Condition{says(v1alpha1.ConditionCertificateExpiring, metav1.ConditionTrue, v1alpha1.ReasonCertificateEnds, "in a week")},
			status: "Healthy", message: "Ready: all is well; CertificateEnds: in a week",
		},
		"with a topic that is silent": {
			kinds: flow, also: []metav1.Condition{says(v1alpha1.ConditionNoTraffic, metav1.ConditionTrue, v1alpha1.ReasonTopicSilent, "since noon")},
			status: "Healthy", message: "Ready: all is well; TopicSilent: since noon",
		},
		"with traffic": {
			kinds: flow, also: []metav1.Condition{says(v1alpha1.ConditionNoTraffic, metav1.ConditionFalse, v1alpha1.ReasonMessagesCome, "just now")},
			status: "Healthy", message: "Ready: all is well",
		},
	} {
		for kind, create := range kinds {
			if test.kinds != nil && !slices.Contains(test.kinds, kind) {
				continue
			}
			t.Run(kind+" "+sentence, func(t *testing.T) {
				o, conditions, observed := create(&test.suspended)
				o.SetName("a")
				o.SetGeneration(2)
				*observed = -1
				if !test.new {
					*observed = 2
					condition.Set(conditions, 2, time.Now(), append(condition.Summary("all is well", test.results...), test.also...)...)
				}
				if test.edited {
					o.SetGeneration(3)
				}
				if test.deleted {
					o.SetDeletionTimestamp(new(metav1.Now()))
				}
				status, message := health(t, o)
				if status != test.status || message != test.message {
					t.Errorf("Argo CD says %s, %q; want %s, %q", status, message, test.status, test.message)
				}
			})
		}
	}
}

// health runs the script over an object, with the libraries that Argo CD opens for it: none that reaches beyond the object.
func health(t *testing.T, o client.Object) (status, message string) {
	t.Helper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		t.Fatal(err)
	}
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{lua.LoadLibName: lua.OpenPackage, lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable} {
		state.Push(state.NewFunction(open))
		state.Push(lua.LString(name))
		state.Call(1, 0)
	}
	state.SetGlobal("obj", value(state, content))
	if err := state.DoString(script(t)); err != nil {
		t.Fatalf("the script fails: %v", err)
	}
	answer, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		t.Fatalf("the script returns %v", state.Get(-1))
	}
	return answer.RawGetString("status").String(), answer.RawGetString("message").String()
}

// script is what the ConfigMap says of all kinds of orderflow.dev.
func script(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "argocd", "argocd-cm.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var configMap corev1.ConfigMap
	if err := yaml.UnmarshalStrict(text, &configMap); err != nil {
		t.Fatal(err)
	}
	var customizations map[string]map[string]string
	if err := yaml.UnmarshalStrict([]byte(configMap.Data["resource.customizations"]), &customizations); err != nil {
		t.Fatal(err)
	}
	return customizations[v1alpha1.GroupVersion.Group+"/*"]["health.lua"]
}

// value is JSON as Lua has it, as Argo CD makes it.
func value(state *lua.LState, in any) lua.LValue {
	switch in := in.(type) {
	case map[string]any:
		table := state.CreateTable(0, len(in))
		for name, field := range in {
			table.RawSetString(name, value(state, field))
		}
		return table
	case []any:
		table := state.CreateTable(len(in), 0)
		for _, item := range in {
			table.Append(value(state, item))
		}
		return table
	case string:
		return lua.LString(in)
	case bool:
		return lua.LBool(in)
	case int64:
		return lua.LNumber(in)
	case float64:
		return lua.LNumber(in)
	}
	return lua.LNil
}
