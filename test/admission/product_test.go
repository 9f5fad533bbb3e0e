// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// fields are of a consumer, as YAML.
type fields map[string]string

const (
	stepOf      = `{name: a, action: CreateWaybill, adapterRef: {name: logistics}}`
	httpStepOf  = `{name: a, adapterRef: {name: erp}}`
	pushHandler = `{adapterRef: {name: sms}, templateId: order_paid, toExpression: order.phone}`
)

// axis is a field that decides how a consumer consumes, with its values. Each value comes with what it needs beside it, so that it alone is in question.
type axis struct {
	field  string
	values map[string]fields
}

// axes span all ways to consume. Those whose field is an enum of the API have all its values.
var axes = []axis{
	{"consume.mode", map[string]fields{"Push": nil, "Pull": nil}},
	{"consume.order", map[string]fields{"Concurrently": nil, "Orderly": {"consume.orderKeyExpression": "order.id"}}},
	{"consume.model", map[string]fields{"Clustering": nil, "Broadcasting": {"consume.broadcasting": "{effect: OncePerPod}"}}},
	{"consume.startFrom.position", map[string]fields{
		"Latest": nil, "Earliest": nil, "Timestamp": {"consume.startFrom.timestamp": `"2026-11-01T00:00:00Z"`},
	}},
	{"subscription.type", map[string]fields{
		"Tag": {"subscription.tag": "{expression: paid}"}, "SQL92": {"subscription.sql92": "{expression: amount > 100}"},
	}},
	{"handler.type", map[string]fields{
		"Push":      {"handler.push": pushHandler},
		"Warehouse": {"handler.warehouse": "{steps: [" + stepOf + "]}"},
		"Credit":    {"handler.credit": "{adapterRef: {name: points}, pointsExpression: order.points}"},
		"Marketing": {"handler.marketing": "{adapterRef: {name: coupons}, campaignId: autumn}"},
		"HTTP":      {"handler.http": "{steps: [" + httpStepOf + "]}"},
		"Custom":    nil,
	}},
	{"dispatch", map[string]fields{"Send": nil, "Shadow": nil}},
	{"adoptionPolicy", map[string]fields{"Never": nil, "Adopt": nil, "Migrate": nil}},
	{"retry.maxAttempts", map[string]fields{"1": nil, "16": nil}},
	{"scaling.maxReplicas", map[string]fields{"-": nil, "4": nil}},
}

// apart are enums that say nothing of how a message comes.
var apart = []string{"deletionPolicy", "consume.broadcasting.effect", "handler.http.steps[].method", "handler.warehouse.steps[].action"}

// refusals are all combinations that the API refuses: where a field has the value, another has to be as is said. docs/modes.md lists them.
var refusals = []struct {
	field, value string
	needs        string
	toBe         []string
	sentence     string
}{
	{"consume.order", "Orderly", "consume.model", []string{"Clustering"},
		"consume.order Orderly is for model Clustering only, in which one pod at a time has a queue: use order Concurrently"},
	{"consume.model", "Broadcasting", "consume.mode", []string{"Push"},
		"consume.model Broadcasting goes with mode Push only"},
	{"consume.model", "Broadcasting", "consume.startFrom.position", []string{"Latest"},
		"with consume.model Broadcasting a pod begins with what is sent while it runs: use startFrom: {position: Latest}"},
	{"consume.model", "Broadcasting", "handler.type", []string{"HTTP"},
		"consume.model Broadcasting goes with handler.type HTTP only: other handlers have effects that are wanted once, not once per pod; use model Clustering"},
	{"consume.model", "Broadcasting", "retry.maxAttempts", []string{"1"},
		"with consume.model Broadcasting a message that fails is dropped, since retries are a group's and not a pod's: set retry: {maxAttempts: 1}, or use model Clustering"},
	{"consume.model", "Broadcasting", "scaling.maxReplicas", []string{"-"},
		"with consume.model Broadcasting more pods do not share the work, they repeat it: remove scaling and set replicas"},
	{"consume.model", "Broadcasting", "adoptionPolicy", []string{"Never", "Adopt"},
		"with consume.model Broadcasting there are no queues to take over: use adoptionPolicy Adopt"},
	{"dispatch", "Shadow", "adoptionPolicy", []string{"Never"},
		"a shadow passes over messages without sending them, so it takes over nobody's group: leave adoptionPolicy at Never and choose a group that does not exist yet"},
	{"handler.type", "Custom", "handler.type", []string{"HTTP"},
		"handler type Custom is not available in this version: use HTTP, whose requests are written in CEL"},
}

// combination is a value of each axis, by its field.
type combination map[string]string

// combinations is the product of the axes.
func combinations() []combination {
	all := []combination{{}}
	for _, a := range axes {
		var longer []combination
		for _, c := range all {
			for value := range a.values {
				with := maps.Clone(c)
				with[a.field] = value
				longer = append(longer, with)
			}
		}
		all = longer
	}
	return all
}

// sentences are those that it is refused with, sorted; none if it is accepted.
func (c combination) sentences() (all []string) {
	for _, r := range refusals {
		if c[r.field] == r.value && !slices.Contains(r.toBe, c[r.needs]) {
			all = append(all, r.sentence)
		}
	}
	slices.Sort(all)
	return all
}

func (c combination) String() string {
	var text []string
	for _, a := range axes {
		text = append(text, a.field+" "+c[a.field])
	}
	return strings.Join(text, ", ")
}

// consumer is an inline consumer of this combination.
func (c combination) consumer(t *testing.T, n int) map[string]any {
	t.Helper()
	content := map[string]any{"name": fmt.Sprint("c", n), "group": fmt.Sprint("group_", n)}
	for _, a := range axes {
		value := c[a.field]
		if value != "-" {
			set(t, content, strings.Split(a.field, "."), parse(t, value))
		}
		for path, beside := range a.values[value] {
			set(t, content, strings.Split(path, "."), parse(t, beside))
		}
	}
	return content
}

// atOnce is how many consumers a flow may have.
const atOnce = 32

// testProduct wants every combination accepted, or refused with its sentences and no other: a rule, or a value, that this file does not know fails it.
func testProduct(t *testing.T, api *server) {
	t.Helper()
	wantEveryEnum(t)
	byFate := map[bool][]combination{}
	for _, c := range combinations() {
		accepted := len(c.sentences()) == 0
		byFate[accepted] = append(byFate[accepted], c)
	}
	t.Logf("%d combinations are accepted, %d refused", len(byFate[true]), len(byFate[false]))
	for accepted, all := range byFate {
		for some := range slices.Chunk(all, atOnce) {
			var consumers []any
			for n, c := range some {
				consumers = append(consumers, c.consumer(t, n))
			}
			flow := object(t, api.valid["OrderFlow"], nil)
			flow.Object["spec"].(map[string]any)["consumers"] = consumers
			err := api.Create(t.Context(), flow, client.DryRunAll, strict)
			if accepted != (err == nil) {
				t.Fatalf("%d consumers that are to be accepted (%v): %v", len(some), accepted, err)
			}
			said := saidOfConsumers(err)
			for n, c := range some {
				if diff := cmp.Diff(c.sentences(), said[n]); diff != "" {
					t.Fatalf("%v\nis refused with (-want +got)\n%s", c, diff)
				}
			}
		}
	}
}

// saidOfConsumers are the sentences of a refusal, sorted, by the consumer's place in the list.
func saidOfConsumers(refused error) map[int][]string {
	said := map[int][]string{}
	var status *apierrors.StatusError
	if !errors.As(refused, &status) || status.ErrStatus.Details == nil {
		return said
	}
	for _, cause := range status.ErrStatus.Details.Causes {
		place, _, _ := strings.Cut(strings.TrimPrefix(cause.Field, "spec.consumers["), "]")
		n, err := strconv.Atoi(place)
		if err != nil {
			n = -1 // of no consumer: nobody expects it
		}
		sentence := cause.Message
		for _, r := range refusals {
			if strings.HasSuffix(sentence, r.sentence) {
				sentence = r.sentence
			}
		}
		said[n] = append(said[n], sentence)
		slices.Sort(said[n])
	}
	return said
}

// wantEveryEnum wants the axes to have every enum of a consumer, and all its values.
func wantEveryEnum(t *testing.T) {
	t.Helper()
	known := map[string][]string{}
	for _, a := range axes {
		known[a.field] = slices.Sorted(maps.Keys(a.values))
	}
	for field, values := range enumsOf(t, "OrderFlow", "spec.consumers[].") {
		if !slices.Contains(apart, field) && !slices.Equal(known[field], values) {
			t.Errorf("%s may be %q, but only %q are combined with the rest", field, values, known[field])
		}
	}
}

// enumsOf are the enums of a kind below a field, with their values, sorted.
func enumsOf(t *testing.T, kind, below string) map[string][]string {
	t.Helper()
	enums := map[string][]string{}
	walk(schemaOf(crds(t)[kind]), "", func(path string, s *apiextensionsv1.JSONSchemaProps) {
		field, found := strings.CutPrefix(path, below)
		if !found || len(s.Enum) == 0 {
			return
		}
		for _, value := range s.Enum {
			enums[field] = append(enums[field], strings.Trim(string(value.Raw), `"`))
		}
		slices.Sort(enums[field])
	})
	return enums
}

// wantDocumented wants docs/modes.md to have every sentence that refuses a combination, and each in which fields of a consumer meet.
func wantDocumented(t *testing.T, rules []check) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "modes.md"))
	if err != nil {
		t.Fatal(err)
	}
	var sentences []string
	for _, r := range refusals {
		sentences = append(sentences, r.sentence)
	}
	for _, r := range rules {
		if r.kind == "MQConsumerGroup" && r.sort == "cel" && (r.path == "spec" || r.path == "spec.consume") && !old.MatchString(r.rule) {
			sentences = append(sentences, r.message)
		}
	}
	for _, sentence := range sentences {
		if !strings.Contains(string(text), "| "+sentence+" |") {
			t.Errorf("docs/modes.md does not have the sentence %q", sentence)
		}
	}
}
