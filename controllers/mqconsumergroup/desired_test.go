// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
)

// everyHandler is a group for each handler there is, all on the adapter sms.
func everyHandler() map[string]v1alpha1.Handler {
	ref := v1alpha1.LocalObjectReference{Name: "sms"}
	return map[string]v1alpha1.Handler{
		"push":      {Type: v1alpha1.HandlerPush, WhenExpression: "order.paid", Push: &v1alpha1.PushHandler{AdapterRef: ref, Path: "/send", TemplateID: "t", ToExpression: "order.phone", ParametersExpression: "{}"}},
		"warehouse": {Type: v1alpha1.HandlerWarehouse, Warehouse: &v1alpha1.WarehouseHandler{Steps: []v1alpha1.WarehouseStep{{Name: "a", Action: v1alpha1.WarehouseCreateWaybill, AdapterRef: ref, Path: "/w", BodyExpression: "{}"}}}},
		"credit":    {Type: v1alpha1.HandlerCredit, Credit: &v1alpha1.CreditHandler{AdapterRef: ref, Path: "/c", MemberExpression: "order.memberId", PointsExpression: "1"}},
		"marketing": {Type: v1alpha1.HandlerMarketing, Marketing: &v1alpha1.MarketingHandler{AdapterRef: ref, Path: "/m", CampaignID: "spring", MemberExpression: "order.memberId"}},
		"http":      {Type: v1alpha1.HandlerHTTP, HTTP: &v1alpha1.HTTPHandler{Steps: []v1alpha1.HTTPStep{{Name: "a", AdapterRef: ref, Method: "POST", Path: "/h", BodyExpression: "order", WhenExpression: "true"}, {Name: "b", AdapterRef: ref, Method: "GET", PathExpression: "'/'+order.id"}}}},
	}
}

func TestAWorkerTakesTheStructureOfEveryHandler(t *testing.T) {
	for name, h := range everyHandler() {
		t.Run(name, func(t *testing.T) {
			seen := ready()
			seen.group.Spec.Handler = h
			seen.group.Spec.Idempotency = &v1alpha1.MessageIdempotency{KeyExpression: "order.id"}
			seen.group.Spec.Expiry = &v1alpha1.Expiry{After: duration(30 * time.Minute), SinceExpression: "order.paidAt"}
			config, err := structureConfig(seen.group, structure(seen))
			if err != nil {
				t.Fatal(err)
			}
			got, err := worker.DecodeStructure([]byte(config.Data[path.Base(worker.StructureFile)]))
			if err != nil {
				t.Fatalf("the worker refuses it: %v", err)
			}
			if diff := cmp.Diff(structure(seen), got); diff != "" {
				t.Errorf("(-declared +read):\n%s", diff)
			}
			if want := (worker.Expiry{After: worker.Duration(30 * time.Minute), SinceExpression: "order.paidAt"}); got.Expiry == nil || *got.Expiry != want {
				t.Errorf("got the expiry %v, want %v", got.Expiry, want)
			}
			// What a user wrote reaches the worker: both sides serialize the same way, so nothing may be lost between the two types.
			var declared, arrived map[string]any
			for from, into := range map[any]*map[string]any{&h: &declared, &got.Handler: &arrived} {
				text, err := json.Marshal(from)
				if err != nil {
					t.Fatal(err)
				}
				if err := json.Unmarshal([]byte(strings.NewReplacer(`"adapterRef":{"name":"sms"}`, `"adapter":"sms"`).Replace(string(text))), into); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(declared, arrived); diff != "" {
				t.Errorf("(-written by the user +read by the worker):\n%s", diff)
			}
		})
	}
}

func TestHowATagExpressionIsWrittenDoesNotReplacePods(t *testing.T) {
	one, two := ready(), ready()
	two.group.Spec.Subscription.Tag.Expression = "paid||refunded"
	a, _ := structureConfig(one.group, structure(one))
	b, _ := structureConfig(two.group, structure(two))
	if a.Name != b.Name {
		t.Errorf("the structures are %s and %s", a.Name, b.Name)
	}
	two.group.Spec.Subscription.Tag.Expression = "paid"
	if c, _ := structureConfig(two.group, structure(two)); c.Name == a.Name {
		t.Error("another subscription has the same structure")
	}
}

func TestAWorkerTakesTheLimits(t *testing.T) {
	seen := ready()
	credit := push()
	credit.Name, credit.Spec.Replicas = "credit", new(int32(3))
	seen.siblings = append(seen.siblings, *credit)
	limits, err := live(seen)
	if err != nil {
		t.Fatal(err)
	}
	config, err := liveConfig(seen.group, limits)
	if err != nil {
		t.Fatal(err)
	}
	got, err := worker.DecodeLive([]byte(config.Data[path.Base(worker.LiveFile)]))
	if err != nil {
		t.Fatalf("the worker refuses it: %v", err)
	}
	if l := got.Adapters[0]; l.RequestsPerSecond != 20 || l.Concurrency != 8 || l.Burst != 2 {
		t.Errorf("of 100 requests/s, 40 in flight and a burst of 10, one of five pods may have %v, %d and %d", l.RequestsPerSecond, l.Concurrency, l.Burst)
	}
	seen.adapters["sms"].Spec.RateLimit.Requests = 50
	changed, _ := live(seen)
	if changed.Revision == limits.Revision {
		t.Error("other limits have the same revision")
	}
}

func TestPodsAreRestricted(t *testing.T) {
	seen := ready()
	seen.cluster.Spec.ACL = &v1alpha1.MQClusterACL{SecretRef: v1alpha1.LocalObjectReference{Name: "acl"}}
	seen.adapters["sms"].Spec.Auth = &v1alpha1.Auth{Type: v1alpha1.AuthBearer, Bearer: &v1alpha1.BearerAuth{SecretRef: v1alpha1.LocalObjectReference{Name: "sms-token"}}}
	seen.adapters["sms"].Spec.TLS = &v1alpha1.AdapterTLS{CASecretRef: &v1alpha1.LocalObjectReference{Name: "sms-ca"}}
	pod := deployment(seen, "push-abc", 2).Spec.Template.Spec
	container := pod.Containers[0]
	for sentence, holds := range map[string]bool{
		"no token is mounted":            !*pod.AutomountServiceAccountToken && !*serviceAccount(seen.group).AutomountServiceAccountToken,
		"it runs as somebody":            *pod.SecurityContext.RunAsNonRoot,
		"it has the default seccomp":     pod.SecurityContext.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault,
		"it has no capabilities":         slices.Equal(container.SecurityContext.Capabilities.Drop, []corev1.Capability{"ALL"}) && len(container.SecurityContext.Capabilities.Add) == 0,
		"it cannot become more":          !*container.SecurityContext.AllowPrivilegeEscalation,
		"it cannot write its own files":  *container.SecurityContext.ReadOnlyRootFilesystem,
		"it mounts nothing of the host":  !slices.ContainsFunc(pod.Volumes, func(v corev1.Volume) bool { return v.HostPath != nil }),
		"its last words are kept":        container.TerminationMessagePolicy == corev1.TerminationMessageFallbackToLogsOnError,
		"it has more time than its work": *pod.TerminationGracePeriodSeconds == 40,
	} {
		if !holds {
			t.Errorf("not so: %s", sentence)
		}
	}
	mounts := map[string]string{}
	for i, m := range container.VolumeMounts {
		v := pod.Volumes[i]
		switch {
		case v.ConfigMap != nil:
			mounts[m.MountPath] = "ConfigMap " + v.ConfigMap.Name
		case v.Secret != nil:
			mounts[m.MountPath] = "Secret " + v.Secret.SecretName
		case v.Projected != nil:
			for _, source := range v.Projected.Sources {
				mounts[m.MountPath] += fmt.Sprintf("Secret %s:", source.Secret.Name)
				for _, item := range source.Secret.Items {
					mounts[m.MountPath] += " " + item.Path
				}
			}
		case v.EmptyDir != nil:
			mounts[m.MountPath] = fmt.Sprintf("%s of %v", v.EmptyDir.Medium, v.EmptyDir.SizeLimit)
		}
		if m.ReadOnly == (m.MountPath == path.Dir(worker.JournalFile)) {
			t.Errorf("%s is read-only: %v", m.MountPath, m.ReadOnly)
		}
	}
	want := map[string]string{
		"/etc/orderflow/structure":    "ConfigMap push-abc",
		"/etc/orderflow/live":         "ConfigMap push-live",
		"/etc/orderflow/sync":         "Secret push-sync",
		"/etc/orderflow/broker":       "Secret acl",
		"/etc/orderflow/adapters/sms": "Secret sms-token: tokenSecret sms-ca: ca.crt",
		"/run/orderflow/journal":      "Memory of 1Mi",
	}
	if diff := cmp.Diff(want, mounts); diff != "" {
		t.Errorf("mounts (-want +got):\n%s", diff)
	}
}

func TestTheUsersLabelsDoNotHideOurs(t *testing.T) {
	seen := ready()
	seen.group.Spec.Workload = &v1alpha1.Workload{PodLabels: map[string]string{"team": "notify", labelGroup: "another"}}
	d := deployment(seen, "push-abc", 2)
	if got := d.Spec.Template.Labels; got["team"] != "notify" || got[labelGroup] != "push" {
		t.Errorf("the pods' labels are %v", got)
	}
}

func TestTheImageIsKeptUntilThePodsAreReplacedAnyway(t *testing.T) {
	for sentence, test := range map[string]struct {
		change func(*inputs, *appsv1.Deployment)
		want   string
	}{
		"the operator was upgraded": {func(seen *inputs, _ *appsv1.Deployment) { seen.workerImage = "worker:2" }, "worker:1"},
		"the operator was upgraded and the pods changed": {func(seen *inputs, d *appsv1.Deployment) {
			seen.workerImage = "worker:2"
			seen.group.Spec.Topic = "Other"
		}, "worker:2"},
		"the operator was upgraded and something else of the pods' template changed": {func(seen *inputs, _ *appsv1.Deployment) {
			seen.workerImage = "worker:2"
			seen.group.Spec.Workload = &v1alpha1.Workload{PodAnnotations: map[string]string{"team": "notify"}}
		}, "worker:2"},
		"the operator was upgraded and wants another number of pods": {func(seen *inputs, d *appsv1.Deployment) {
			seen.workerImage = "worker:2"
			d.Spec.Replicas = new(int32(7))
		}, "worker:1"},
		"the user names an image": {func(seen *inputs, _ *appsv1.Deployment) {
			seen.group.Spec.Workload = &v1alpha1.Workload{Image: "mine:7"}
		}, "mine:7"},
		"the user named an image before": {func(seen *inputs, d *appsv1.Deployment) {
			seen.workerImage = "worker:2"
			d.Annotations = nil
		}, "worker:2"},
		"there are no pods yet": {func(seen *inputs, _ *appsv1.Deployment) {
			seen.deployment = nil
			seen.workerImage = "worker:2"
		}, "worker:2"},
	} {
		t.Run(sentence, func(t *testing.T) {
			seen := ready()
			name := func() string {
				config, err := structureConfig(seen.group, structure(seen))
				if err != nil {
					t.Fatal(err)
				}
				return config.Name
			}
			seen.deployment = deployment(seen, name(), 2)
			test.change(seen, seen.deployment)
			if got := deployment(seen, name(), 2).Spec.Template.Spec.Containers[0].Image; got != test.want {
				t.Errorf("got image %s, want %s", got, test.want)
			}
		})
	}
}

func TestThePodsReachWhatTheyCallAndNothingElse(t *testing.T) {
	for sentence, test := range map[string]struct {
		change func(*inputs)
		want   []string
	}{
		"brokers move, and workers find them where no operator is": {func(*inputs) {}, []string{"443 to anywhere", "9876 to anywhere", "10911 to anywhere"}},
		"declared networks bound where brokers are": {func(seen *inputs) { seen.cluster.Spec.EgressCIDRs = []string{"10.1.0.0/16"} },
			[]string{"443 to anywhere", "9876 to 10.1.0.0/16", "10911 to 10.1.0.0/16"}},
		"a third party with an address and a port": {func(seen *inputs) { seen.adapters["sms"].Spec.URL = "http://203.0.113.7:8080/sms" },
			[]string{"8080 to 203.0.113.7/32", "9876 to anywhere", "10911 to anywhere"}},
		"a third party with an IPv6 address": {func(seen *inputs) { seen.adapters["sms"].Spec.URL = "http://[2001:db8::7]/sms" },
			[]string{"80 to 2001:db8::7/128", "9876 to anywhere", "10911 to anywhere"}},
		"the collector of traces": {func(seen *inputs) { seen.tracing.Endpoint = "http://collector.observability:4318" },
			[]string{"443 to anywhere", "4318 to anywhere", "9876 to anywhere", "10911 to anywhere"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			seen := ready()
			test.change(seen)
			var got []string
			for _, rule := range networkPolicy(seen).Spec.Egress[1:] { // the first is name resolution
				to := "anywhere"
				if len(rule.To) > 0 {
					to = rule.To[0].IPBlock.CIDR
				}
				got = append(got, rule.Ports[0].Port.String()+" to "+to)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhoReachesThePodsAndWhoTellsThemNames(t *testing.T) {
	seen := ready()
	seen.operatorNamespace = "operators"
	policy := networkPolicy(seen).Spec
	namespace := func(label, value string) networkingv1.NetworkPolicyPeer {
		return networkingv1.NetworkPolicyPeer{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{label: value}}}
	}
	tcp, udp := port(53), port(53)
	udp.Protocol = new(corev1.ProtocolUDP)
	want := networkingv1.NetworkPolicySpec{
		PodSelector: metav1.LabelSelector{MatchLabels: deployment(seen, "any", 1).Spec.Selector.MatchLabels},
		PolicyTypes: []networkingv1.PolicyType{"Ingress", "Egress"},
		Ingress: []networkingv1.NetworkPolicyIngressRule{
			{Ports: []networkingv1.NetworkPolicyPort{port(8443)}, From: []networkingv1.NetworkPolicyPeer{
				namespace("kubernetes.io/metadata.name", "operators"), namespace("orderflow.dev/metrics", "true"),
			}},
			{Ports: []networkingv1.NetworkPolicyPort{port(8081)}},
		},
		Egress: []networkingv1.NetworkPolicyEgressRule{{Ports: []networkingv1.NetworkPolicyPort{udp, tcp}}},
	}
	policy.Egress = policy.Egress[:1] // the others are of TestThePodsReachWhatTheyCallAndNothingElse
	if diff := cmp.Diff(want, policy); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestThePodsTraceWhereTheOperatorSaysSo(t *testing.T) {
	seen := ready()
	variables := func() map[string]string {
		got := map[string]string{}
		for _, v := range deployment(seen, "s", 1).Spec.Template.Spec.Containers[0].Env {
			got[v.Name] = v.Value
		}
		return got
	}
	if got := variables(); len(got) != 1 {
		t.Errorf("without a collector pods have the variables %v: an upgrade of the operator would replace them", got)
	}
	seen.tracing = Tracing{Endpoint: "http://collector:4318", Ratio: 0.05}
	want := map[string]string{
		"POD_NAME": "", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
		"OTEL_TRACES_SAMPLER_ARG": "0.05", "OTEL_SERVICE_NAME": "push", "OTEL_RESOURCE_ATTRIBUTES": "service.namespace=shop,service.instance.id=$(POD_NAME)",
	}
	if diff := cmp.Diff(want, variables()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAnAdaptersVolumeHasANameThatKubernetesTakes(t *testing.T) {
	long := strings.Repeat("a", 63)
	if got := adapterVolume(long); len(got) > 63 || got == adapterVolume(long[:62]+"b") {
		t.Errorf("the volume of %s is %s", long, got)
	}
}

// A pod more than wanted would exceed the account's limits; one that is taken away hands its queues over first, and the next one waits until its successor has them.
func TestARolloutAddsNoPodAndWaitsForTheHandOver(t *testing.T) {
	d := deployment(ready(), "push-abc", 8)
	rolling := d.Spec.Strategy.RollingUpdate
	if d.Spec.Strategy.Type != appsv1.RollingUpdateDeploymentStrategyType || rolling.MaxSurge.String() != "0" || rolling.MaxUnavailable.String() != "25%" {
		t.Errorf("the strategy is %+v with %+v", d.Spec.Strategy, rolling)
	}
	pod := d.Spec.Template.Spec
	if probe := pod.Containers[0].ReadinessProbe; probe.HTTPGet.Path != "/readyz" {
		t.Errorf("whether a pod is ready is asked at %s, not where it says that its queues are handed over", probe.HTTPGet.Path)
	}
	if got := time.Duration(*pod.TerminationGracePeriodSeconds) * time.Second; got != defaultGrace+leaveTime {
		t.Errorf("a pod has %v to hand over, want what its calls may take, %v, and %v to leave", got, defaultGrace, leaveTime)
	}
}
