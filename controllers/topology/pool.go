// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package topology

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/controllers/credential"
	"github.com/orderflow-dev/orderflow/controllers/result"
	"github.com/orderflow-dev/orderflow/internal/certificate"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// Connector leads from an MQCluster to its Admin. Its fields must not change once it is used.
type Connector struct {
	// Secrets reads the ACL Secrets by name, without a cache.
	Secrets client.Reader
	// Client configures the connections; Credentials and TLS are the connector's own.
	Client rocketmq.Config
	// Resolver looks up name servers; nil: the system's.
	Resolver rocketmq.Resolver
	// SurveyEvery is for how long a Survey answers again, for all that use the cluster; 0: each asks the name servers.
	SurveyEvery time.Duration

	mu     sync.Mutex
	admins map[types.NamespacedName]*pooled
}

// pooled is an Admin with what it was made for.
type pooled struct {
	admin       *Admin
	nameServers []string
	trust       Trust
	credentials atomic.Pointer[rocketmq.Credentials]
}

// Connect returns the Admin of the MQCluster, with the credentials and authorities its Secrets hold now. They are read on every call, so that new
// ones apply at the next reconcile; new authorities by new connections, as those there are were verified by the old. The Admin is shared: do not
// close it.
func (c *Connector) Connect(ctx context.Context, cluster *v1alpha1.MQCluster) (*Admin, result.Result) {
	credentials, r := c.Credentials(ctx, cluster)
	if !r.IsDone() {
		return nil, r
	}
	trust, r := c.Trust(ctx, cluster)
	if !r.IsDone() {
		return nil, r
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	key := client.ObjectKeyFromObject(cluster)
	p := c.admins[key]
	if p == nil || !slices.Equal(p.nameServers, cluster.Spec.NameServers) || p.trust != trust {
		c.close(key)
		var err error
		if p, err = c.open(cluster.Spec.NameServers, trust); err != nil {
			return nil, result.Fail(v1alpha1.ReasonNameServerUnreachable, err, "reading spec.nameServers")
		}
		if c.admins == nil {
			c.admins = map[types.NamespacedName]*pooled{}
		}
		c.admins[key] = p
	}
	p.credentials.Store(&credentials)
	return p.admin, result.Result{}
}

// readBuffer of a connection: there are two for each MQCluster at least, and most answers are small.
const readBuffer = 4 << 10

func (c *Connector) open(nameServers []string, trust Trust) (*pooled, error) {
	p := &pooled{nameServers: slices.Clone(nameServers), trust: trust}
	config := c.Client
	config.ReadBuffer = readBuffer
	config.Credentials = func() rocketmq.Credentials { return *p.credentials.Load() }
	if trust.Verify {
		config.TLS = trust.config
	}
	remote := rocketmq.NewClient(config)
	cluster, err := rocketmq.NewCluster(remote, nameServers, c.Resolver)
	if err != nil {
		remote.Close()
		return nil, err
	}
	p.admin = &Admin{Client: remote, Cluster: cluster, surveyEvery: c.SurveyEvery}
	return p, nil
}

// Forget closes the connections of an MQCluster that is gone.
func (c *Connector) Forget(cluster types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.close(cluster)
}

// Close closes all connections. Calls in flight fail.
func (c *Connector) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key := range c.admins {
		c.close(key)
	}
}

func (c *Connector) close(key types.NamespacedName) {
	if p := c.admins[key]; p != nil {
		p.admin.Close()
		delete(c.admins, key)
	}
}

// Credentials reads the access key of the MQCluster; the zero value where it has no access control.
func (c *Connector) Credentials(ctx context.Context, cluster *v1alpha1.MQCluster) (rocketmq.Credentials, result.Result) {
	if cluster.Spec.ACL == nil {
		return rocketmq.Credentials{}, result.Result{}
	}
	hosts, err := hosts(cluster.Spec.NameServers)
	if err != nil {
		return rocketmq.Credentials{}, result.Fail(v1alpha1.ReasonNameServerUnreachable, err, "reading spec.nameServers")
	}
	secret, r := credential.Read(ctx, c.Secrets, credential.Use{
		Name:  types.NamespacedName{Namespace: cluster.Namespace, Name: cluster.Spec.ACL.SecretRef.Name},
		Field: "spec.acl.secretRef",
		Keys:  []string{worker.AccessKeyKey, worker.SecretKeyKey},
		Hosts: hosts,
	})
	if !r.IsDone() {
		return rocketmq.Credentials{}, r
	}
	return rocketmq.Credentials{
		AccessKey:     string(secret.Data[worker.AccessKeyKey]),
		SecretKey:     string(secret.Data[worker.SecretKeyKey]),
		SecurityToken: string(secret.Data[worker.SecurityTokenKey]),
	}, result.Result{}
}

// Trust is who is believed to be a name server or broker of an MQCluster.
type Trust struct {
	// Verify says that TLS is spoken; else the others are empty.
	Verify bool
	// Authorities are the certificates to trust, as PEM; empty: the public roots.
	Authorities string
	// ServerName the certificates are issued for; empty: who is dialled.
	ServerName string
}

func (t Trust) config() (*tls.Config, error) {
	return certificate.Client([]byte(t.Authorities), t.ServerName)
}

// Trust reads the certificates that the MQCluster trusts; the zero value where it has no TLS.
func (c *Connector) Trust(ctx context.Context, cluster *v1alpha1.MQCluster) (Trust, result.Result) {
	spec := cluster.Spec.TLS
	if spec == nil || spec.Mode != v1alpha1.TLSVerify {
		return Trust{}, result.Result{}
	}
	trust := Trust{Verify: true, ServerName: spec.ServerName}
	if spec.CASecretRef == nil {
		return trust, result.Result{}
	}
	secret, r := credential.Read(ctx, c.Secrets, credential.Use{
		Name:  types.NamespacedName{Namespace: cluster.Namespace, Name: spec.CASecretRef.Name},
		Field: "spec.tls.caSecretRef",
		Keys:  []string{worker.CAKey},
	})
	if !r.IsDone() {
		return Trust{}, r
	}
	trust.Authorities = string(secret.Data[worker.CAKey])
	if _, err := trust.config(); err != nil {
		return Trust{}, result.Stall(v1alpha1.ReasonCertificateUnusable, "Secret %q, which spec.tls.caSecretRef names: %v: put the certificates of those in it, as PEM, that sign for name servers and brokers",
			spec.CASecretRef.Name, err).Again(lookAgain)
	}
	return trust, result.Result{}
}

func hosts(nameServers []string) ([]string, error) {
	var list []string
	for _, server := range nameServers {
		host, _, err := net.SplitHostPort(server)
		if err != nil {
			return nil, fmt.Errorf("name server %q: %w", server, err)
		}
		list = append(list, host)
	}
	return list, nil
}
