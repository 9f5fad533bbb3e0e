// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/orderflow-dev/orderflow/hack/local/sandbox"
)

// lifetime is how long certificates are good for: longer than anybody keeps a local cluster.
const lifetime = 365 * 24 * time.Hour

// AdminKubeconfig is the file, in the cluster's folder, with which a person is cluster-admin.
const AdminKubeconfig = "kubeconfig"

// identity is who a component is to the API server.
type identity struct {
	user  string
	group string
}

// kubeconfigs lists who gets a kubeconfig, by its file.
func kubeconfigs() map[string]identity {
	return map[string]identity{
		AdminKubeconfig:                      {user: "admin", group: "system:masters"},
		"kube-controller-manager.kubeconfig": {user: "system:kube-controller-manager"},
		"kube-scheduler.kubeconfig":          {user: "system:kube-scheduler"},
		"kubelet.kubeconfig":                 {user: "system:node:" + Name, group: "system:nodes"},
		"kube-proxy.kubeconfig":              {user: "system:kube-proxy"},
		"coredns.kubeconfig":                 {user: "system:coredns"},
	}
}

// Secure makes the keys, certificates and kubeconfigs of the cluster in dir, unless they are there.
func Secure(dir string) error {
	admin := filepath.Join(dir, AdminKubeconfig)
	if _, err := os.Stat(admin); !errors.Is(err, fs.ErrNotExist) {
		return err // complete, as this file is the last one
	}
	if err := os.MkdirAll(filepath.Join(dir, "pki"), 0o700); err != nil {
		return fmt.Errorf("create the folder of certificates: %w", err)
	}
	ca, err := newAuthority()
	if err != nil {
		return err
	}
	serving, err := ca.issue(identity{user: "kube-apiserver"}, sandbox.Node, sandbox.API, "127.0.0.1")
	if err != nil {
		return err
	}
	// What RBAC grants this group is all that reading logs and running commands in pods takes.
	client, err := ca.issue(identity{user: "kube-apiserver-kubelet-client", group: "system:masters"})
	if err != nil {
		return err
	}
	tokens, err := newKey()
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		"ca.crt":              ca.pem,
		"kube-apiserver.crt":  serving.certificate,
		"kube-apiserver.key":  serving.key,
		"kubelet-client.crt":  client.certificate,
		"kubelet-client.key":  client.key,
		"service-account.key": tokens.pem,
	} {
		if err := os.WriteFile(filepath.Join(dir, "pki", name), content, 0o600); err != nil {
			return fmt.Errorf("write a certificate: %w", err)
		}
	}
	for name, who := range kubeconfigs() {
		if name == AdminKubeconfig {
			continue
		}
		if err := ca.kubeconfig(filepath.Join(dir, name), who); err != nil {
			return err
		}
	}
	return ca.kubeconfig(admin, kubeconfigs()[AdminKubeconfig])
}

// key is a private key, in memory and as PEM.
type key struct {
	crypto.Signer
	pem []byte
}

func newKey() (key, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return key{}, fmt.Errorf("make a private key: %w", err)
	}
	der, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		return key{}, fmt.Errorf("encode a private key: %w", err)
	}
	return key{Signer: private, pem: pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})}, nil
}

// authority is the cluster's certificate authority. Its key is never written: who is to be trusted is decided here and now.
type authority struct {
	key         key
	certificate *x509.Certificate
	pem         []byte
}

func newAuthority() (*authority, error) {
	k, err := newKey()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "orderflow-local"},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(lifetime),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		return nil, fmt.Errorf("make the certificate authority: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read the certificate authority back: %w", err)
	}
	return &authority{key: k, certificate: certificate, pem: certificatePEM(der)}, nil
}

// pair is a certificate and its key as PEM.
type pair struct{ certificate, key []byte }

// issue makes a certificate for who, which is a client and, when it has addresses, a server.
func (a *authority) issue(who identity, addresses ...string) (pair, error) {
	k, err := newKey()
	if err != nil {
		return pair{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 64))
	if err != nil {
		return pair{}, fmt.Errorf("choose a serial number: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: who.user},
		NotBefore: a.certificate.NotBefore, NotAfter: a.certificate.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if who.group != "" {
		template.Subject.Organization = []string{who.group}
	}
	if len(addresses) > 0 {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
		template.DNSNames = []string{"kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}
		for _, address := range addresses {
			template.IPAddresses = append(template.IPAddresses, net.ParseIP(address))
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, k.Public(), a.key)
	if err != nil {
		return pair{}, fmt.Errorf("make the certificate of %s: %w", who.user, err)
	}
	return pair{certificate: certificatePEM(der), key: k.pem}, nil
}

func certificatePEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// kubeconfig writes the file with which who talks to the API server.
func (a *authority) kubeconfig(path string, who identity) error {
	client, err := a.issue(who)
	if err != nil {
		return err
	}
	const name = "orderflow-local"
	config := clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{
			name: {Server: "https://" + sandbox.Node + ":6443", CertificateAuthorityData: a.pem},
		},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{name: {ClientCertificateData: client.certificate, ClientKeyData: client.key}},
		Contexts:       map[string]*clientcmdapi.Context{name: {Cluster: name, AuthInfo: name}},
		CurrentContext: name,
	}
	if err := clientcmd.WriteToFile(config, path); err != nil {
		return fmt.Errorf("write the kubeconfig of %s: %w", who.user, err)
	}
	return nil
}
