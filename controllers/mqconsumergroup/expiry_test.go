// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"path"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
)

func TestUnlessToldOtherwiseAgeIsCountedFromWhenAMessageWasSent(t *testing.T) {
	w := newWorld(t, func(g *v1alpha1.MQConsumerGroup) { g.Spec.Expiry = &v1alpha1.Expiry{After: duration(time.Minute)} })
	w.settle()
	var config corev1.ConfigMap
	w.must(w.Get(t.Context(), client.ObjectKey{Namespace: w.Namespace, Name: w.group.Status.StructureName}, &config))
	got, err := worker.DecodeStructure([]byte(config.Data[path.Base(worker.StructureFile)]))
	w.must(err)
	if want := (worker.Expiry{After: worker.Duration(time.Minute), SinceExpression: "message.bornTime"}); got.Expiry == nil || *got.Expiry != want {
		t.Errorf("the workers are told %v, want %v", got.Expiry, want)
	}
}
