// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package suite

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
)

func TestMain(m *testing.M) { Main(m) }

func TestWhatKubectlGetPrints(t *testing.T) {
	s := New(t)
	ready := []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonReady, Message: "all is well", LastTransitionTime: metav1.NewTime(s.Now())}}
	cluster := s.Cluster("namesrv.rocketmq:9876")
	cluster.Status = v1alpha1.MQClusterStatus{ClusterName: "DefaultCluster", Conditions: ready}
	adapter := s.Adapter("sms")
	adapter.Status = v1alpha1.ThirdPartyAdapterStatus{Circuit: v1alpha1.CircuitOpen, Conditions: ready}
	group := s.Group("push", "Orders")
	group.Status = v1alpha1.MQConsumerGroupStatus{
		Conditions: ready, Lag: new(int64(42)), DeadLetters: new(int64(3)), ReadyReplicas: 2, Circuit: v1alpha1.CircuitClosed,
		OldestMessageTime: new(metav1.NewTime(s.Now().Add(-70 * time.Minute))),
	}
	young := s.Group("young", "Orders")
	young.Spec.Group = "young_group"
	flow := s.Flow("order-paid", "Orders")
	flow.Status = v1alpha1.OrderFlowStatus{Conditions: ready, Topic: &v1alpha1.TopicStatus{Queues: 16}, ReadyConsumers: "1/1"}
	replay := &v1alpha1.DeadLetterReplay{ObjectMeta: s.meta("again")}
	replay.Spec.GroupRef.Name = "push"
	replay.Status = v1alpha1.DeadLetterReplayStatus{Conditions: ready, Matched: new(int64(5)), Resent: new(int64(4)), Skipped: new(int64(1))}
	s.Create(t, cluster, adapter, group, young, flow, replay)

	const age = "age" // of the object, some seconds
	for resource, want := range map[string]struct {
		columns, wide []string
		rows          [][]any
	}{
		"mqclusters": {
			columns: []string{"Name", "Ready", "Reason", "Cluster", "Age"}, wide: []string{"Message"},
			rows: [][]any{{"mq", "True", "Ready", "DefaultCluster", age, "all is well"}},
		},
		"orderflows": {
			columns: []string{"Name", "Ready", "Reason", "Topic", "Queues", "Consumers", "Age"}, wide: []string{"Message"},
			rows: [][]any{{"order-paid", "True", "Ready", "Orders", 16.0, "1/1", age, "all is well"}},
		},
		"mqconsumergroups": {
			columns: []string{"Name", "Ready", "Reason", "Replicas", "Lag", "Oldest", "Circuit", "Age"}, wide: []string{"Group", "Dispatch", "Dead", "Message"},
			rows: [][]any{
				{"push", "True", "Ready", 2.0, 42.0, "70m", "Closed", age, "push", "Send", 3.0, "all is well"},
				{"young", nil, nil, nil, nil, nil, nil, age, "young_group", "Send", nil, nil},
			},
		},
		"thirdpartyadapters": {
			columns: []string{"Name", "Ready", "Reason", "Circuit", "Groups", "Age"}, wide: []string{"URL", "Message"},
			rows: [][]any{{"sms", "True", "Ready", "Open", nil, age, adapter.Spec.URL, "all is well"}},
		},
		"deadletterreplays": {
			columns: []string{"Name", "Ready", "Reason", "Group", "Matched", "Resent", "Skipped", "Age"}, wide: []string{"Message"},
			rows: [][]any{{"again", "True", "Ready", "push", 5.0, 4.0, 1.0, age, "all is well"}},
		},
	} {
		t.Run(resource, func(t *testing.T) {
			table := s.table(t, resource)
			var columns, wide []string
			ageAt := -1
			for i, c := range table.ColumnDefinitions {
				switch c.Priority {
				case 0:
					columns = append(columns, c.Name)
				default:
					wide = append(wide, c.Name)
				}
				if c.Name == "Age" {
					ageAt = i
				}
			}
			var rows [][]any
			for _, row := range table.Rows {
				row.Cells[ageAt] = age
				rows = append(rows, row.Cells)
			}
			if diff := cmp.Diff(want.columns, columns) + cmp.Diff(want.wide, wide) + cmp.Diff(want.rows, rows); diff != "" {
				t.Errorf("it prints (-want +got):\n%s", diff)
			}
		})
	}
}

// table is what kubectl get is given to print.
func (s *Suite) table(t *testing.T, resource string) metav1.Table {
	t.Helper()
	config := server.environment.Config
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	defer httpClient.CloseIdleConnections()
	address, err := url.JoinPath(config.Host, "apis", v1alpha1.GroupVersion.String(), "namespaces", s.Namespace, resource)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io")
	response, err := httpClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var table metav1.Table
	if err := json.NewDecoder(response.Body).Decode(&table); err != nil || table.Kind != "Table" {
		t.Fatalf("%s is answered with status %s and a %s: %v", resource, response.Status, table.Kind, err)
	}
	return table
}
