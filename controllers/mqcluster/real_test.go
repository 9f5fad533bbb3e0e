// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqcluster

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/suite"
	"github.com/orderflow-dev/orderflow/hack/local/rocketmq"
	"github.com/orderflow-dev/orderflow/test/broker"
)

func TestARealBrokerRefusesAWrongKeyAndTakesTheCorrectedOne(t *testing.T) {
	user := rocketmq.User{Name: "orderflow", Password: "orderflow-secret"}
	mq := broker.Own(t, rocketmq.Options{ACL: &user})
	s := suite.New(t)
	secret := s.Credential("acl", "127.0.0.1", map[string]string{"access-key": user.Name, "secret-key": "wrong"})
	cluster := s.Cluster(mq.NameServer())
	cluster.Spec.ACL = &v1alpha1.MQClusterACL{SecretRef: v1alpha1.LocalObjectReference{Name: secret.Name}}
	s.Create(t, secret, cluster)

	reconcile(t, s, cluster)
	suite.WantCondition(t, cluster.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonPermissionDenied, "check the access key")
	suite.WantCondition(t, cluster.Status.Conditions, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonPermissionDenied)

	secret.StringData = map[string]string{"secret-key": user.Password, "security-token": "temporary"} // the broker has none, and wants it signed
	if err := s.Update(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	reconcile(t, s, cluster)
	suite.WantCondition(t, cluster.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady, "masters: 1")
	if b := cluster.Status.Brokers[0]; b.Retention == nil || b.Retention.Duration <= 0 || b.DeleteWhen == "" || b.Disk == "" {
		t.Errorf("a real broker tells of what it keeps: %+v", b)
	}
}
