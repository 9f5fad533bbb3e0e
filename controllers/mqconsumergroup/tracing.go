// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"github.com/orderflow-dev/orderflow/api/worker"
)

// Tracing is where the pods of all groups send their traces, and how many.
type Tracing struct {
	// Endpoint is the URL of an OTLP collector that speaks HTTP. Empty: nothing is traced.
	Endpoint string
	// Ratio of the orders traced whose sender did not decide, 0 to 1.
	Ratio float64
}

// environment is what a worker's process cannot have from files: its pod's name, and OpenTelemetry's own variables.
func environment(in *inputs) []corev1.EnvVar {
	env := []corev1.EnvVar{
		{Name: worker.PodNameEnv, ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.name"}}},
	}
	if in.tracing.Endpoint == "" {
		return env
	}
	return append(env,
		corev1.EnvVar{Name: "OTEL_EXPORTER_OTLP_ENDPOINT", Value: in.tracing.Endpoint},
		corev1.EnvVar{Name: "OTEL_TRACES_SAMPLER", Value: "parentbased_traceidratio"},
		corev1.EnvVar{Name: "OTEL_TRACES_SAMPLER_ARG", Value: strconv.FormatFloat(in.tracing.Ratio, 'g', -1, 64)},
		corev1.EnvVar{Name: "OTEL_SERVICE_NAME", Value: in.group.Name},
		corev1.EnvVar{Name: "OTEL_RESOURCE_ATTRIBUTES", Value: "service.namespace=" + in.group.Namespace + ",service.instance.id=$(" + worker.PodNameEnv + ")"},
	)
}
