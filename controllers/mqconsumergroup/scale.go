// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"cmp"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/controllers/lag"
	"github.com/orderflow-dev/orderflow/controllers/scaling"
	"github.com/orderflow-dev/orderflow/controllers/workersync"
)

// replicas is the number of pods wanted, and the decision it comes from if spec.scaling is set.
func replicas(seen *inputs, now time.Time) (int32, *scaling.Decision) {
	spec := &seen.group.Spec
	switch {
	case spec.Scaling != nil:
		decision := scaling.Decide(scalingInput(seen, now))
		return decision.Replicas, &decision
	case spec.Replicas != nil:
		return *spec.Replicas, nil
	}
	return 1, nil
}

func scalingInput(seen *inputs, now time.Time) scaling.Input {
	s := seen.group.Spec.Scaling
	in := scaling.Input{
		Now: now, Max: s.MaxReplicas, Min: 1, TargetDrainTime: s.TargetDrainTime.Duration, Queues: cmp.Or(seen.broker.queues(), seen.signals.Queues),
		Replicas: wantedReplicas(seen.deployment),
		LagKnown: seen.signals.Fresh(now), Lag: seen.signals.Lag,
		ArrivalKnown: seen.signals.ArrivalKnown, ArrivalRate: seen.signals.ArrivalRate, RatePerReplica: seen.signals.RatePerReplica,
		InFlight: inFlight(seen), OpenCircuits: openCircuits(seen.reports), Suspended: seen.suspended.holds(),
	}
	if s.MinReplicas != nil {
		in.Min = *s.MinReplicas
	}
	if seen.deployment != nil {
		in.Ready = seen.deployment.Status.ReadyReplicas
	}
	in.LastStep = lastStep(seen.deployment)
	return in
}

// stamp writes down at the Deployment when its number of pods was last changed.
func stamp(d, before *appsv1.Deployment, now time.Time) {
	last := lastStep(before)
	if wantedReplicas(d) != wantedReplicas(before) {
		last = now
	}
	if !last.IsZero() {
		metav1.SetMetaDataAnnotation(&d.ObjectMeta, annotationScaled, last.UTC().Format(time.RFC3339))
	}
}

// lastStep is when the number of pods was last changed; the zero time if it never was.
func lastStep(d *appsv1.Deployment) time.Time {
	if d == nil {
		return time.Time{}
	}
	last, _ := time.Parse(time.RFC3339, d.Annotations[annotationScaled]) // what cannot be read is no step
	return last
}

// inFlight is the number of messages the pods are handling; negative if one of them did not say.
func inFlight(seen *inputs) (n int) {
	if len(seen.reports) < len(seen.pods) || int32(len(seen.reports)) < wantedReplicas(seen.deployment) {
		return -1
	}
	for _, r := range seen.reports {
		if r.Err != nil {
			return -1
		}
		n += r.Answer.InFlight
	}
	return n
}

// openCircuits names the third parties that are down for a pod.
func openCircuits(reports []workersync.Report) (names []string) {
	for _, r := range reports {
		for _, a := range r.Answer.Adapters {
			if a.Circuit == worker.CircuitOpen {
				names = append(names, a.Name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// podsOf is what the sampler has to know of the pods to learn their rate.
func podsOf(group *v1alpha1.MQConsumerGroup, ready int32, reports []workersync.Report) lag.Pods {
	return lag.Pods{
		Ready:  ready,
		Hold:   int64(ready) * int64(group.Spec.Concurrency.PerPod),
		Parked: slices.ContainsFunc(reports, func(r workersync.Report) bool { return r.Answer.Parked }),
	}
}
