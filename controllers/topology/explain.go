// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package topology

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/condition"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/internal/dial"
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
	if why := untrusted(err); why != "" {
		return result.Stall(v1alpha1.ReasonCertificateRefused, "%s: %v: nothing was sent there, since %s", doing, err, why).Again(lookAgain)
	}
	r := result.Fail(unreachable, err, "%s", doing)
	if errors.Is(err, rocketmq.ErrHandshake) {
		r.Message += ": it seems to speak plain text: give it a certificate and tls.server.mode=enforcing, or take spec.tls out of the MQCluster"
		return r
	}
	if refused := new(dial.RefusedError); !errors.As(err, &refused) { // which has its own advice
		r.Message += ": " + reach(unreachable)
	}
	return r
}

// untrusted says why the certificate of a name server or broker is not believed, and what to do; empty if err is about something else.
func untrusted(err error) string {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &unknown):
		return "nobody who is trusted has signed its certificate: put the certificate of who has into ca.crt of the Secret that the MQCluster's spec.tls.caSecretRef names"
	case errors.As(err, &name):
		return "its certificate is for another name: set the MQCluster's spec.tls.serverName to the name that all of them are for, or have it issued for the address that is dialled"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "its certificate has ended, or has not begun: give it a new one"
	case errors.As(err, new(*tls.CertificateVerificationError)):
		return "its certificate cannot be verified: give it one that can"
	}
	return ""
}

// reach says what to look at where nobody answers.
func reach(unreachable string) string {
	if unreachable == v1alpha1.ReasonNameServerUnreachable {
		return "check that a name server runs at one of the MQCluster's spec.nameServers, and that no NetworkPolicy or firewall keeps the operator from that port; and set spec.tls if it speaks TLS only"
	}
	return "check that the broker runs, that pods can reach the address it registered (brokerIP1 and listenPort in its configuration), and that no NetworkPolicy or firewall keeps the operator from that port"
}

// Usable says whether others may rely on the MQCluster now. A nil cluster is one that was not found under the name. One whose spec was edited is
// looked at first: its name servers may lead to another cluster than the status, and with it every claim, speaks of.
func Usable(cluster *v1alpha1.MQCluster, name string) result.Result {
	switch {
	case cluster == nil:
		return result.Stall(v1alpha1.ReasonClusterNotFound,
			"there is no MQCluster %q in this namespace: create it; or, if another is meant, delete what refers to it and create that anew, since its spec.clusterRef cannot change", name)
	case cluster.Status.ObservedGeneration != cluster.Generation:
		return notReady("waiting for MQCluster %s to be looked at: its status speaks of generation %d of its spec, not of %d",
			name, cluster.Status.ObservedGeneration, cluster.Generation)
	case !condition.Is(cluster.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionTrue):
		return notReady("waiting for MQCluster %s: %s", name, condition.Describe(cluster.Status.Conditions, v1alpha1.ConditionReady))
	}
	return result.Result{}
}

// notReady is Unknown, not Waiting: of what is on the cluster it says only that nobody could look.
func notReady(format string, args ...any) result.Result {
	r := result.Wait(v1alpha1.ReasonClusterNotReady, lookAgain, format, args...)
	r.State = result.Unknown
	return r
}
