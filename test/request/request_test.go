// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package request

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRequestsAreCountedBySort(t *testing.T) {
	got, err := Counts(strings.NewReader(`# HELP apiserver_request_total [STABLE] Counter of apiserver requests.
# TYPE apiserver_request_total counter
apiserver_request_total{code="200",component="apiserver",dry_run="",group="orderflow.dev",resource="orderflows",scope="resource",subresource="status",verb="PUT",version="v1alpha1"} 12
apiserver_request_total{code="409",component="apiserver",dry_run="",group="",resource="configmaps",scope="resource",subresource="",verb="APPLY",version="v1"} 1
# HELP apiserver_request_terminations_total [ALPHA] Requests that were ended.
# TYPE apiserver_request_terminations_total counter
apiserver_request_terminations_total{code="429"} 3
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Count{
		{Verb: "PUT", Group: "orderflow.dev", Resource: "orderflows", Subresource: "status", Code: "200", N: 12},
		{Verb: "APPLY", Resource: "configmaps", Code: "409", N: 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatHasNoCountsIsAnError(t *testing.T) {
	for sentence, exposed := range map[string]string{
		"nothing is exposed":  "",
		"a page of something": "<html>",
		"other metrics are":   "# TYPE etcd_requests_total counter\netcd_requests_total 3\n",
	} {
		if counts, err := Counts(strings.NewReader(exposed)); err == nil {
			t.Errorf("%s: %v", sentence, counts)
		}
	}
}
