// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package topology

import (
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// lookAgain is how soon a cluster that is on its way is looked at again.
const lookAgain = 10 * time.Second

// Explain turns the error of a call to a broker into the result of the step that made it. doing says what was being done, with the object
// and the broker: "reading topic Orders from broker broker-a". An err of nil is done.
func Explain(err error, doing string, args ...any) result.Result {
	if err == nil {
		return result.Result{}
	}
	return explain(err, v1alpha1.ReasonBrokerUnreachable, doing, args...)
}

func explain(err error, unreachable, doing string, args ...any) result.Result {
	doing = fmt.Sprintf(doing, args...)
	switch {
	case errors.Is(err, rocketmq.ErrPermission):
		return result.Stall(v1alpha1.ReasonPermissionDenied,
			"%s: %v: check the access key and secret key in the Secret that the MQCluster's spec.acl names, and what the broker grants that user", doing, err)
	case errors.Is(err, rocketmq.ErrRefused), errors.Is(err, rocketmq.ErrNotFound), errors.Is(err, rocketmq.ErrBusy):
		return result.Fail(v1alpha1.ReasonBrokerRefused, err, "%s", doing)
	}
	return result.Fail(unreachable, err, "%s", doing)
}

// Usable says whether others may rely on the MQCluster now. A nil cluster is one that was not found under the name. One whose spec was edited is
// looked at first: its name servers may lead to another cluster than the status, and with it every claim, speaks of.
func Usable(cluster *v1alpha1.MQCluster, name string) result.Result {
	switch {
	case cluster == nil:
		return result.Stall(v1alpha1.ReasonClusterNotFound, "there is no MQCluster %q in this namespace: create it, or correct spec.clusterRef", name)
	case cluster.Status.ObservedGeneration != cluster.Generation:
		return result.Wait(v1alpha1.ReasonClusterNotReady, lookAgain, "waiting for MQCluster %s to be looked at: its status speaks of generation %d of its spec, not of %d",
			name, cluster.Status.ObservedGeneration, cluster.Generation)
	case !condition.Is(cluster.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionTrue):
		return result.Wait(v1alpha1.ReasonClusterNotReady, lookAgain,
			"waiting for MQCluster %s: %s", name, condition.Describe(cluster.Status.Conditions, v1alpha1.ConditionReady))
	}
	return result.Result{}
}
