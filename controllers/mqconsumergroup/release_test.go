// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"encoding/json"
	"flag"
	"os"
	"path"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
)

var release = flag.Bool("release", false, "write testdata/release anew: only where the release notes say that an upgrade replaces all pods")

// TestAnOperatorUpgradeReplacesNoPod makes the pods of groups of every kind anew, in place of those that the release before made of the same objects: whoever upgrades
// the operator has not asked for a rollout of all groups at once.
func TestAnOperatorUpgradeReplacesNoPod(t *testing.T) {
	type made struct {
		StructureName string             `json:"structureName"`
		Structure     string             `json:"structure"`
		Deployment    *appsv1.Deployment `json:"deployment"`
	}
	for name, change := range everyGroup() {
		t.Run(name, func(t *testing.T) {
			remake := func(before *made) made {
				seen := ready()
				change(seen)
				seen.workerImage = "worker:1"
				if before != nil {
					running, err := worker.DecodeStructure([]byte(before.Structure))
					if err != nil {
						t.Fatalf("what pods run from cannot be read any more: %v", err)
					}
					seen.running, seen.deployment, seen.workerImage = &running, before.Deployment, "worker:2"
				}
				wanted, err := keepsPods(seen.running, structure(seen))
				if err != nil {
					t.Fatal(err)
				}
				config, err := structureConfig(seen.group, wanted)
				if err != nil {
					t.Fatal(err)
				}
				return made{config.Name, config.Data[path.Base(worker.StructureFile)], deployment(seen, config.Name, 2)}
			}
			file := filepath.Join("testdata", "release", name+".json")
			if *release {
				content, err := json.MarshalIndent(remake(nil), "", " ")
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, append(content, '\n'), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var before made
			if err := json.Unmarshal(content, &before); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, remake(&before)); diff != "" {
				t.Errorf("an upgrade would replace the pods (-of the release before +now):\n%s", diff)
			}
		})
	}
}

// everyGroup has a group for each handler, and one for each thing else that shows in the pods.
func everyGroup() map[string]func(*inputs) {
	ref := v1alpha1.LocalObjectReference{Name: "account"}
	groups := map[string]func(*inputs){
		"shadow": func(in *inputs) { in.group.Spec.Dispatch = v1alpha1.DispatchShadow },
		"acl":    func(in *inputs) { in.cluster.Spec.ACL = &v1alpha1.MQClusterACL{SecretRef: ref} },
		"mtls": func(in *inputs) {
			in.adapters["sms"].Spec.Auth = &v1alpha1.Auth{Type: v1alpha1.AuthMTLS, MTLS: &v1alpha1.MTLSAuth{SecretRef: ref}}
		},
		"authority": func(in *inputs) { in.adapters["sms"].Spec.TLS = &v1alpha1.AdapterTLS{CASecretRef: &ref} },
		"expiry": func(in *inputs) {
			in.group.Spec.Expiry = &v1alpha1.Expiry{After: duration(30 * time.Minute), SinceExpression: "order.paidAt"}
		},
		"sql92": func(in *inputs) {
			in.group.Spec.Subscription = v1alpha1.Subscription{Type: v1alpha1.SubscriptionSQL92, SQL92: &v1alpha1.SQL92Subscription{Expression: "a > 1"}}
		},
		"broadcasting": func(in *inputs) { in.group.Spec.Consume.Model = v1alpha1.ConsumeBroadcasting },
		"orderly": func(in *inputs) {
			in.group.Spec.Consume.Order, in.group.Spec.Consume.OrderKeyExpression = v1alpha1.ConsumeOrderly, "order.id"
		},
		"workload": func(in *inputs) {
			in.group.Spec.Workload = &v1alpha1.Workload{
				PodLabels: map[string]string{"team": "shop"}, PodAnnotations: map[string]string{"note": "x"}, PriorityClassName: "high",
				NodeSelector: map[string]string{"zone": "a"}, ImagePullSecrets: []v1alpha1.LocalObjectReference{ref}, TerminationGracePeriod: duration(time.Minute),
			}
		},
		"traced": func(in *inputs) { in.tracing = Tracing{Endpoint: "http://collector:4318", Ratio: 0.5} },
	}
	for name, handler := range everyHandler() {
		groups[name] = func(in *inputs) { in.group.Spec.Handler = handler }
	}
	return groups
}
