// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package request

import (
	"fmt"
	"io"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// family is the metric of kube-apiserver that counts requests.
const family = "apiserver_request_total"

// Count is how many requests of one sort were answered since the API server began.
type Count struct {
	// Verb as metrics have it: POST, PUT, PATCH, APPLY, DELETE, GET, LIST, WATCH, and others.
	Verb string
	// Group, Resource and Subresource that were asked for; empty where there is none.
	Group, Resource, Subresource string
	// Code of the answer: "409" is a write over something else than was read.
	Code string
	// N is the number of them.
	N int
}

// Counts reads them from what the API server exposes at /metrics.
func Counts(exposed io.Reader) ([]Count, error) {
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(exposed)
	if err != nil {
		return nil, fmt.Errorf("read the API server's metrics: %w", err)
	}
	counted := families[family]
	if counted == nil {
		return nil, fmt.Errorf("the API server exposes no %s", family)
	}
	var counts []Count
	for _, metric := range counted.GetMetric() {
		label := map[string]string{}
		for _, pair := range metric.GetLabel() {
			label[pair.GetName()] = pair.GetValue()
		}
		counts = append(counts, Count{
			Verb: label["verb"], Group: label["group"], Resource: label["resource"], Subresource: label["subresource"], Code: label["code"], N: int(metric.GetCounter().GetValue()),
		})
	}
	return counts, nil
}
