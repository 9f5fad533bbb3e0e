// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"errors"
	"strings"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/controllers/budget"
	"github.com/orderflow-dev/orderflow/controllers/contract"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// structure is what the group's pods run from and what only a new pod can run differently.
func structure(in *inputs) worker.Structure {
	spec := &in.group.Spec
	s := worker.Structure{
		Version: worker.Version, Namespace: in.group.Namespace, Name: in.group.Name,
		NameServers: in.cluster.Spec.NameServers, ACL: in.cluster.Spec.ACL != nil,
		Group: spec.Group, Topic: spec.Topic, TagExpression: tagExpression(spec.Subscription), SQLExpression: sqlExpression(spec.Subscription),
		Mode: worker.Mode(spec.Consume.Mode), Broadcasting: broadcasts(in.group), MaxUncommitted: int(spec.Consume.MaxUncommitted),
		Concurrency: int(spec.Concurrency.PerPod), TerminationGrace: worker.Duration(terminationGrace(spec.Workload)),
		OrderKeyExpression: spec.Consume.OrderKeyExpression, Retry: workerRetry(spec.Retry),
		Handler: workerHandler(&spec.Handler), Shadow: spec.Dispatch == v1alpha1.DispatchShadow, PrivateNetworks: in.privateNetworks,
	}
	if tls := in.cluster.Spec.TLS; tls != nil && tls.Mode == v1alpha1.TLSVerify {
		s.BrokerTLS = &worker.BrokerTLS{CA: tls.CASecretRef != nil, ServerName: tls.ServerName}
	}
	if spec.Idempotency != nil {
		s.KeyExpression = spec.Idempotency.KeyExpression
	}
	if spec.Expiry != nil {
		s.Expiry = &worker.Expiry{After: worker.Duration(spec.Expiry.After.Duration), SinceExpression: spec.Expiry.SinceExpression}
	}
	for _, name := range spec.Handler.Adapters() {
		s.Adapters = append(s.Adapters, contract.Adapter(in.adapters[name]))
	}
	return s
}

// broadcasts reports whether every pod gets every message.
func broadcasts(group *v1alpha1.MQConsumerGroup) bool {
	return group.Spec.Consume.Model == v1alpha1.ConsumeBroadcasting
}

func workerRetry(r v1alpha1.RetryPlan) worker.Retry {
	return worker.Retry{MaxAttempts: int(r.MaxAttempts), MaxDuration: worker.Duration(r.MaxDuration.Duration)}
}

// tagExpression is "*" or tags joined by "||", without spaces: how it is written must not decide whether pods are replaced.
func tagExpression(s v1alpha1.Subscription) string {
	switch {
	case s.SQL92 != nil:
		return ""
	case s.Tag == nil:
		return "*"
	}
	return strings.ReplaceAll(s.Tag.Expression, " ", "")
}

func sqlExpression(s v1alpha1.Subscription) string {
	if s.SQL92 == nil {
		return ""
	}
	return s.SQL92.Expression
}

// subscriptionOf is what the group's pods want of the topic, as brokers know it.
func subscriptionOf(group *v1alpha1.MQConsumerGroup) rocketmq.Subscription {
	s := rocketmq.Subscription{Topic: group.Spec.Topic, Type: rocketmq.TypeTag, Expression: tagExpression(group.Spec.Subscription)}
	if sql := sqlExpression(group.Spec.Subscription); sql != "" {
		s.Type, s.Expression = rocketmq.TypeSQL92, sql
	}
	return s
}

// workerHandler leaves out nothing but what references became names.
func workerHandler(h *v1alpha1.Handler) worker.Handler {
	out := worker.Handler{Type: worker.HandlerType(h.Type), WhenExpression: h.WhenExpression}
	if p := h.Push; p != nil {
		out.Push = &worker.PushHandler{Adapter: p.AdapterRef.Name, Path: string(p.Path), TemplateID: p.TemplateID, ToExpression: p.ToExpression, ParametersExpression: p.ParametersExpression}
	}
	if c := h.Credit; c != nil {
		out.Credit = &worker.CreditHandler{Adapter: c.AdapterRef.Name, Path: string(c.Path), MemberExpression: c.MemberExpression, PointsExpression: c.PointsExpression}
	}
	if m := h.Marketing; m != nil {
		out.Marketing = &worker.MarketingHandler{Adapter: m.AdapterRef.Name, Path: string(m.Path), CampaignID: m.CampaignID, MemberExpression: m.MemberExpression}
	}
	if w := h.Warehouse; w != nil {
		out.Warehouse = &worker.WarehouseHandler{}
		for _, s := range w.Steps {
			out.Warehouse.Steps = append(out.Warehouse.Steps, worker.WarehouseStep{
				Name: s.Name, Action: string(s.Action), Adapter: s.AdapterRef.Name, Path: string(s.Path), BodyExpression: s.BodyExpression,
			})
		}
	}
	if hh := h.HTTP; hh != nil {
		out.HTTP = &worker.HTTPHandler{}
		for _, s := range hh.Steps {
			out.HTTP.Steps = append(out.HTTP.Steps, worker.HTTPStep{
				Name: s.Name, Adapter: s.AdapterRef.Name, Method: string(s.Method), Path: string(s.Path),
				PathExpression: s.PathExpression, BodyExpression: s.BodyExpression, WhenExpression: s.WhenExpression,
			})
		}
	}
	return out
}

// keepsPods is the structure that is wanted, with the templates of the one that pods run from if that differs in nothing else: new templates are Live, and
// replace no pods.
func keepsPods(running *worker.Structure, wanted worker.Structure) (worker.Structure, error) {
	if running == nil {
		return wanted, nil
	}
	bare := func(s worker.Structure) worker.Structure {
		s.Handler = s.Handler.WithoutTemplates()
		return s
	}
	was, _, errWas := digest(bare(*running))
	is, _, errIs := digest(bare(wanted))
	if was == is {
		wanted.Handler = running.Handler
	}
	return wanted, errors.Join(errWas, errIs)
}

// live is what running pods take over: one pod's limits towards each adapter, the templates of requests, and whether the group is suspended. While templates cannot be compiled
// they are the last that could: a pod that restarts would begin with those of its structure, which may be old. While an adapter cannot be used all is as it was, but for the
// suspension, which nothing holds up.
func live(in *inputs) (worker.Live, error) {
	l := worker.Live{Version: worker.Version, SkipMessageIDs: in.group.Spec.SkipMessageIDs}
	if in.given != nil {
		l.Handler, l.Adapters = in.given.Handler, in.given.Adapters
	}
	if wanted := workerHandler(&in.group.Spec.Handler); compile(in.verdicts, wanted.Expressions()).IsDone() {
		l.Handler = &wanted
	}
	if adaptersUsable(in).IsDone() {
		l.Adapters = nil
		for _, name := range in.group.Spec.Handler.Adapters() {
			l.Adapters = append(l.Adapters, budget.Limits(name, &in.adapters[name].Spec, budget.Pods(name, in.siblings)))
		}
	}
	l.Suspended = in.suspended.reason
	revision, _, err := digest(l)
	l.Revision = revision
	return l, err
}
