// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"cmp"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
)

func serviceAccount(group *v1alpha1.MQConsumerGroup) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{ObjectMeta: objectMeta(group, group.Name), AutomountServiceAccountToken: new(false)}
}

// service has no address of its own: the operator and Prometheus call every pod.
func service(group *v1alpha1.MQConsumerGroup) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: objectMeta(group, group.Name),
		Spec: corev1.ServiceSpec{
			ClusterIP: corev1.ClusterIPNone,
			Selector:  selector(group),
			Ports:     []corev1.ServicePort{{Name: "sync", Port: worker.SyncPort, TargetPort: intstr.FromString("sync"), Protocol: corev1.ProtocolTCP}},
			// A pod that is not ready yet, or not any more, has circuits and messages in flight like any other.
			PublishNotReadyAddresses: true,
		},
	}
}

func disruptionBudget(group *v1alpha1.MQConsumerGroup) *policyv1.PodDisruptionBudget {
	return &policyv1.PodDisruptionBudget{
		ObjectMeta: objectMeta(group, group.Name),
		Spec: policyv1.PodDisruptionBudgetSpec{
			MaxUnavailable: new(intstr.FromInt32(1)),
			Selector:       &metav1.LabelSelector{MatchLabels: selector(group)},
		},
	}
}

// networkPolicy lets the pods reach name resolution, the brokers and the third parties, and lets in the operator, Prometheus and the kubelet.
func networkPolicy(in *inputs) *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{
		ObjectMeta: objectMeta(in.group, in.group.Name),
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: selector(in.group)},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
			Ingress: []networkingv1.NetworkPolicyIngressRule{
				{Ports: []networkingv1.NetworkPolicyPort{port(worker.SyncPort)}, From: []networkingv1.NetworkPolicyPeer{
					{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: in.operatorNamespace}}},
					{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{labelMetrics: "true"}}},
				}},
				{Ports: []networkingv1.NetworkPolicyPort{port(worker.HealthPort)}}, // a node's address cannot be selected
			},
			Egress: egress(in),
		},
	}
}

func egress(in *inputs) []networkingv1.NetworkPolicyEgressRule {
	rules := []networkingv1.NetworkPolicyEgressRule{{Ports: []networkingv1.NetworkPolicyPort{
		{Protocol: new(corev1.ProtocolUDP), Port: new(intstr.FromInt32(53))}, port(53),
	}}}
	for _, e := range endpoints(in) {
		rule := networkingv1.NetworkPolicyEgressRule{Ports: []networkingv1.NetworkPolicyPort{port(e.port)}}
		for _, cidr := range e.networks {
			rule.To = append(rule.To, networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: cidr}})
		}
		rules = append(rules, rule)
	}
	return rules
}

// endpoint is a port, and the networks it may be reached in. Without networks: anywhere, as a policy cannot select a host name.
type endpoint struct {
	port     int32
	networks []string
}

// endpoints the pods call, in a fixed order and each once. Brokers are let through by their ports, anywhere unless egressCIDRs say where: one
// that moved would be out of reach until the operator has seen it, and workers run on without an operator.
func endpoints(in *inputs) []endpoint {
	var list []endpoint
	brokers := slices.Clone(in.cluster.Spec.NameServers)
	for _, b := range in.cluster.Status.Brokers {
		brokers = append(brokers, b.Address)
	}
	for _, address := range brokers {
		_, p, err := net.SplitHostPort(address)
		if err != nil {
			continue // the API admits no such name server, and a broker cannot be dialled under it
		}
		list = append(list, endpoint{port: atoi(p), networks: in.cluster.Spec.EgressCIDRs})
	}
	var urls []string
	for _, name := range in.group.Spec.Handler.Adapters() {
		spec := &in.adapters[name].Spec
		urls = append(urls, spec.URL)
		if spec.Auth != nil && spec.Auth.OAuth2 != nil {
			urls = append(urls, spec.Auth.OAuth2.TokenURL)
		}
	}
	if in.tracing.Endpoint != "" {
		urls = append(urls, in.tracing.Endpoint)
	}
	for _, address := range urls {
		u, err := url.Parse(address)
		if err != nil {
			continue // neither the API nor the operator's flag admits such a URL
		}
		fallback := "443"
		if u.Scheme == "http" {
			fallback = "80"
		}
		list = append(list, endpoint{port: atoi(cmp.Or(u.Port(), fallback)), networks: single(u.Hostname())})
	}
	byContent := func(a, b endpoint) int {
		return cmp.Or(cmp.Compare(a.port, b.port), slices.Compare(a.networks, b.networks))
	}
	slices.SortFunc(list, byContent)
	return slices.CompactFunc(list, func(a, b endpoint) bool { return byContent(a, b) == 0 })
}

// single is the network of one address; none for a host name.
func single(host string) []string {
	address, err := netip.ParseAddr(host)
	if err != nil {
		return nil
	}
	return []string{netip.PrefixFrom(address, address.BitLen()).String()}
}

// atoi of a port that the API has checked.
func atoi(port string) int32 {
	n, _ := strconv.ParseInt(port, 10, 32)
	return int32(n)
}

func port(number int32) networkingv1.NetworkPolicyPort {
	value := intstr.FromInt32(number)
	return networkingv1.NetworkPolicyPort{Protocol: new(corev1.ProtocolTCP), Port: &value}
}
