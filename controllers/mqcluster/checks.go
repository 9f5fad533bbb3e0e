// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqcluster

import (
	"time"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/controllers/topology"
)

// lookAgain is how soon a cluster that could not be reached is tried again.
const lookAgain = 10 * time.Second

// check says what keeps the cluster from being Ready: the way to it, then each master.
func check(seen facts) []result.Result {
	if !seen.reached.IsDone() {
		return []result.Result{known(seen.reached)}
	}
	var results []result.Result
	for _, b := range seen.brokers {
		if b.lost {
			results = append(results, result.Wait(v1alpha1.ReasonBrokerUnreachable, lookAgain,
				"the name servers have dropped master broker %s, last seen at %s: start it again, as the messages it holds are not consumed meanwhile; if it is gone for good, annotate this MQCluster with %s=%s, and remove that when all is Ready",
				b.Name, b.Addr, v1alpha1.ForgetBrokerAnnotation, b.Name))
			continue
		}
		results = append(results, known(topology.Explain(b.err, "asking broker %s at %s for its version and configuration", b.Name, b.Addr)))
	}
	for _, name := range seen.masterless {
		results = append(results, result.Wait(v1alpha1.ReasonNoMaster, lookAgain,
			"of broker %s slaves alone are there, and topics and groups are on masters: start its master again; if it is gone for good, stop the slaves, or annotate this MQCluster with %s=%s",
			name, v1alpha1.ForgetBrokerAnnotation, name))
	}
	return results
}

// known makes an answer of a failure to reach the cluster: whether it can be reached is what an MQCluster tells, so that it cannot is no gap in
// what is known. A Secret that could not be read remains one.
func known(r result.Result) result.Result {
	if r.State == result.Unknown && r.Reason != v1alpha1.ReasonNotRead {
		return result.Wait(r.Reason, lookAgain, "%s", r.Message)
	}
	return r
}
