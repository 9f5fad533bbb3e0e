// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
)

func TestFlagsThatCannotHoldAreRefused(t *testing.T) {
	good := options{workerImage: "worker:1", namespace: "orderflow-system", otlpEndpoint: "http://collector.observability:4318", traceRatio: 0.01}
	if err := good.validate(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*options){
		"-worker-image is required":   func(o *options) { o.workerImage = "" },
		"-namespace is required":      func(o *options) { o.namespace = "" },
		"-private-networks":           func(o *options) { o.privateNetworks = list{"10.0.0.0"} },
		"-otlp-endpoint is no URL":    func(o *options) { o.otlpEndpoint = "collector:4318" },
		"URL like http://collector":   func(o *options) { o.otlpEndpoint = "http://user:word@collector:4318" },
		"-trace-ratio lies between 0": func(o *options) { o.traceRatio = 5 },
	} {
		o := good
		change(&o)
		if err := o.validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
