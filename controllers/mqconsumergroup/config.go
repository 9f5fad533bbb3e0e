// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"

	corev1 "k8s.io/api/core/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
)

// digest returns a short name for a value's content, and the content.
func digest(value any) (name string, content []byte, err error) {
	content, err = json.Marshal(value)
	if err != nil {
		return "", nil, fmt.Errorf("write the workers' configuration: %w", err)
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:6]), content, nil
}

// structureConfig is the immutable ConfigMap of a structure. Its name follows from its content, so that a pod template which names it can
// only ever mean this content.
func structureConfig(group *v1alpha1.MQConsumerGroup, s worker.Structure) (*corev1.ConfigMap, error) {
	_, content, err := digest(s)
	if err != nil {
		return nil, err
	}
	c := &corev1.ConfigMap{
		ObjectMeta: objectMeta(group, worker.StructureName(group.Name, content)),
		Data:       map[string]string{path.Base(worker.StructureFile): string(content)},
		Immutable:  new(true),
	}
	c.Labels[labelConfig] = "structure"
	return c, nil
}

// liveConfig is the ConfigMap of the limits, which running pods read again.
func liveConfig(group *v1alpha1.MQConsumerGroup, l worker.Live) (*corev1.ConfigMap, error) {
	_, content, err := digest(l)
	if err != nil {
		return nil, err
	}
	c := &corev1.ConfigMap{
		ObjectMeta: objectMeta(group, liveName(group)),
		Data:       map[string]string{path.Base(worker.LiveFile): string(content)},
	}
	c.Labels[labelConfig] = "live"
	return c, nil
}
