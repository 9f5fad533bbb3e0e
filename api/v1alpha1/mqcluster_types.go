// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// MQClusterSpec says where a RocketMQ cluster is and how to authenticate to it.
type MQClusterSpec struct {
	// nameServers are the addresses of RocketMQ's name servers, as host:port. Host names are resolved anew on every connection, so
	// a name server may move. All name servers must belong to one cluster; the first that answers is used. The operator's own machine is no place for one:
	// localhost is refused here. A loopback address is taken, for operators that run outside a cluster, as tests do; in a pod it is refused when it is
	// dialled, with a sentence in the condition Ready.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=3
	// +kubebuilder:validation:items:MaxLength=261
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\\\\[[0-9a-fA-F:.]+\\\\]):[0-9]{1,5}$') && int(self.substring(self.lastIndexOf(':') + 1)) >= 1 && int(self.substring(self.lastIndexOf(':') + 1)) <= 65535",message="a name server is written host:port, for example rocketmq-namesrv.rocketmq:9876"
	// +kubebuilder:validation:items:XValidation:rule="[self.substring(0, self.lastIndexOf(':')).replace('[', '').replace(']', '')].all(h, isIP(h) ? (ip(h).isGlobalUnicast() || ip(h).isLoopback()) && !['0.0.0.0/8', '192.0.0.0/24', '240.0.0.0/4', 'fec0::/10', '64:ff9b::/96', '64:ff9b:1::/48', '2001::/32', '2002::/16', 'fd00:ec2::254/128', 'fd20:ce::254/128', '100.100.100.200/32', '168.63.129.16/32'].exists(n, cidr(n).containsIP(h)) : !h.contains(':') && !h.matches('(?i)^((.*[.])?localhost|metadata|metadata[.]google[.]internal)[.]?$') && !h.matches('(?i)(^|[.])(0x[0-9a-f]*|[0-9]+)[.]?$'))",message="a name server is not at localhost, nor at a link-local, multicast, reserved or metadata address: name the host that pods reach it at"
	NameServers []string `json:"nameServers,omitempty"`

	// acl holds the access key OrderFlow authenticates with. Unset: the cluster has no access control.
	// +optional
	ACL *MQClusterACL `json:"acl,omitempty"`

	// tls encrypts the connections to name servers and brokers, and verifies who is there before anything is sent. Unset: plain text. The
	// producer-binding Secret tells the order system; runtime/producer refuses it, as the library it sends with does not verify.
	// +optional
	TLS *MQClusterTLS `json:"tls,omitempty"`

	// egressCIDRs are the networks the brokers and name servers live in; the workers' NetworkPolicy lets traffic out to them.
	// Unset: anywhere, by the brokers' and name servers' ports alone, so that workers find a broker that moved while no operator is there.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=3
	// +kubebuilder:validation:items:MaxLength=49
	// +kubebuilder:validation:items:XValidation:rule="isCIDR(self)",message="an egress network is written in CIDR form, for example 10.20.0.0/16"
	EgressCIDRs []string `json:"egressCIDRs,omitempty"`
}

// MQClusterACL names the Secret that holds the access key of RocketMQ's access control (ACL 1.0 and 2.0).
type MQClusterACL struct {
	// secretRef names a Secret with the keys `access-key` and `secret-key`, and `security-token` where temporary keys are used. It needs
	// the label orderflow.dev/credential=true and the annotation orderflow.dev/allowed-hosts.
	// +required
	SecretRef LocalObjectReference `json:"secretRef,omitzero"`
}

// TLSMode says whether a connection is encrypted and the server's certificate verified.
// +kubebuilder:validation:Enum=Disabled;Verify
type TLSMode string

const (
	// TLSDisabled speaks plain text.
	TLSDisabled TLSMode = "Disabled"
	// TLSVerify encrypts and verifies the server's certificate.
	TLSVerify TLSMode = "Verify"
)

// MQClusterTLS configures TLS towards name servers and brokers.
// +kubebuilder:validation:XValidation:rule="self.mode == 'Verify' || (!has(self.caSecretRef) && !has(self.serverName))",message="tls.caSecretRef and tls.serverName are used with tls.mode Verify only: remove them"
type MQClusterTLS struct {
	// mode is Disabled or Verify. There is no mode that encrypts without verifying.
	// +required
	Mode TLSMode `json:"mode,omitempty"`

	// caSecretRef names a Secret whose key `ca.crt` holds the certificates to trust, instead of the public roots. It needs the label
	// orderflow.dev/credential=true, and is read again and again, so that authorities change without a restart. Unset: the public roots.
	// +optional
	CASecretRef *LocalObjectReference `json:"caSecretRef,omitempty"`

	// serverName is the name that the certificates of all name servers and brokers are issued for. Unset: the host that is dialled; of a broker that is the
	// address it registered.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	ServerName string `json:"serverName,omitempty"`
}

// FeatureState says whether the brokers have a feature switched on.
// +kubebuilder:validation:Enum=On;Off;Mixed;Unknown
type FeatureState string

const (
	// FeatureOn means every master broker has it on.
	FeatureOn FeatureState = "On"
	// FeatureOff means every master broker has it off.
	FeatureOff FeatureState = "Off"
	// FeatureMixed means the master brokers differ.
	FeatureMixed FeatureState = "Mixed"
	// FeatureUnknown means at least one master broker could not be asked.
	FeatureUnknown FeatureState = "Unknown"
)

// MQClusterFeatures are broker settings that decide what can be declared on the cluster.
type MQClusterFeatures struct {
	// sql92 is the broker's enablePropertyFilter: without it a SQL92 subscription receives nothing.
	// +optional
	SQL92 FeatureState `json:"sql92,omitempty"`
	// timer is the broker's timerWheelEnable: delivery at a given time.
	// +optional
	Timer FeatureState `json:"timer,omitempty"`
	// autoCreateTopic is the broker's autoCreateTopicEnable: with it on, a mistyped topic is created instead of refused.
	// +optional
	AutoCreateTopic FeatureState `json:"autoCreateTopic,omitempty"`
	// autoCreateGroup is the broker's autoCreateSubscriptionGroup.
	// +optional
	AutoCreateGroup FeatureState `json:"autoCreateGroup,omitempty"`
}

// BrokerStatus is one master broker as the name server and the broker itself report it.
type BrokerStatus struct {
	// name of the broker, which masters and their slaves share.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=255
	Name string `json:"name,omitempty"`
	// address of the master, host:port.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=261
	Address string `json:"address,omitempty"`
	// version the broker reports. Empty: it could not be asked.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Version string `json:"version,omitempty"`
	// delayLevels is the broker's messageDelayLevel, for example "1s 5s 10s": for how long messages may wait before they are tried again.
	// Empty: it could not be asked.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	DelayLevels string `json:"delayLevels,omitempty"`
	// retention is the broker's fileReservedTime: it keeps a message for so long at least, unless its disk is full. Unset: it could not be asked.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	Retention *metav1.Duration `json:"retention,omitempty"`
	// deleteWhen is the broker's deleteWhen: the hours of its day at which it deletes what is older, for example "04" or "04;16".
	// +optional
	// +kubebuilder:validation:MaxLength=128
	DeleteWhen string `json:"deleteWhen,omitempty"`
	// disk says whether the broker deletes messages before their time, as its disk is full. Empty: it could not be asked.
	// +optional
	Disk DiskState `json:"disk,omitempty"`
}

// DiskState is how full the disk of a broker's messages is.
// +kubebuilder:validation:Enum=Normal;Pressure;Full
type DiskState string

const (
	// DiskNormal means that messages are kept for as long as the broker's retention.
	DiskNormal DiskState = "Normal"
	// DiskPressure means that the disk is fuller than diskMaxUsedSpaceRatio: what is older than the retention is deleted at once.
	DiskPressure DiskState = "Pressure"
	// DiskFull means that it is fuller than 85 %: the oldest messages are deleted whatever their age.
	DiskFull DiskState = "Full"
)

// ForgetBrokerAnnotation, on an MQCluster, names a master broker that is gone for good, with the messages it held. The MQCluster is Ready without it.
// Remove it afterwards: as long as it is there, the next loss of a broker of that name is not noticed.
const ForgetBrokerAnnotation = "orderflow.dev/forget-broker"

// MQClusterStatus is what was last seen of the cluster.
type MQClusterStatus struct {
	// conditions are Ready, Reconciling, Stalled and BrokerSettings. Ready is False with reason NameServerUnreachable, BrokerUnreachable,
	// PermissionDenied, CertificateRefused, CertificateUnusable, SecretNotFound, SecretKeyMissing, SecretNotAllowed, SeveralClusters or NoMaster; Unknown
	// while nothing could be read yet. BrokerSettings is False while a broker has something switched off, or on, that decides what can be declared; that
	// makes nothing of it not Ready.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +patchStrategy=merge
	// +patchMergeKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty" patchStrategy:"merge" patchMergeKey:"type"`

	// observedGeneration is the generation of the spec this status speaks of. -1: nobody has looked at the object yet.
	// +optional
	// +kubebuilder:validation:Minimum=-1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// lastHandledReconcileAt is the value of the annotation orderflow.dev/reconcile-at that was last acted upon.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	LastHandledReconcileAt string `json:"lastHandledReconcileAt,omitempty"`

	// clusterName is the name the brokers give their cluster.
	// +optional
	// +kubebuilder:validation:MaxLength=255
	ClusterName string `json:"clusterName,omitempty"`

	// identity tells physical clusters apart. It is made of the cluster's name and the addresses of its master brokers when they are first seen, and
	// kept when brokers come, go or move. A topic or group name has one owner on a physical cluster.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Identity string `json:"identity,omitempty"`

	// brokers are the master brokers, sorted by name. One that the name servers have dropped stays, and keeps the MQCluster from being Ready, until
	// it is back, spec is edited, or the annotation orderflow.dev/forget-broker names it.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=256
	Brokers []BrokerStatus `json:"brokers,omitempty"`

	// features the brokers have on or off.
	// +optional
	Features *MQClusterFeatures `json:"features,omitempty"`

	// lastVerifiedTime is when all of this was read from the brokers, as of the last change of anything else in the status. It is read again every
	// minute; the operator's metric orderflow_verified_timestamp_seconds has the last time.
	// +optional
	LastVerifiedTime *metav1.Time `json:"lastVerifiedTime,omitempty"`
}

// Broker returns the master broker of that name; nil: it is not among those seen.
func (s *MQClusterStatus) Broker(name string) *BrokerStatus {
	for i := range s.Brokers {
		if s.Brokers[i].Name == name {
			return &s.Brokers[i]
		}
	}
	return nil
}

// MQCluster is a RocketMQ cluster that flows and groups refer to. OrderFlow creates nothing for it: it reports the cluster's identity,
// versions and features, and whether it can be reached with the given credentials.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=mqc,categories=orderflow-dev
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Cluster",type=string,JSONPath=`.status.clusterName`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
type MQCluster struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the object's.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitzero"`
	// spec is what is wanted.
	// +required
	Spec MQClusterSpec `json:"spec,omitzero"`
	// status is what was seen.
	// +optional
	// +default={"observedGeneration":-1}
	// +structType=atomic
	Status MQClusterStatus `json:"status,omitzero"`
}

// MQClusterList is a list of MQClusters.
// +kubebuilder:object:root=true
type MQClusterList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`
	Items           []MQCluster `json:"items"`
}
