// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/orderflow-dev/orderflow/hack/local/sandbox"
)

func TestSecureMakesCertificatesThatTheAuthorityVouchesFor(t *testing.T) {
	dir := t.TempDir()
	if err := Secure(dir); err != nil {
		t.Fatal(err)
	}
	authority, err := os.ReadFile(filepath.Join(dir, "pki", "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		t.Fatal("ca.crt holds no certificate")
	}
	serving, err := tls.LoadX509KeyPair(filepath.Join(dir, "pki", "kube-apiserver.crt"), filepath.Join(dir, "pki", "kube-apiserver.key"))
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{sandbox.Node, sandbox.API, "127.0.0.1", "kubernetes.default.svc"} {
		_, err := serving.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: host, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
		if err != nil {
			t.Errorf("the API server's certificate for %s: %v", host, err)
		}
	}
	for name, who := range kubeconfigs() {
		config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		client, err := tls.X509KeyPair(config.CertData, config.KeyData)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var groups []string
		if who.group != "" {
			groups = []string{who.group}
		}
		if diff := cmp.Diff(groups, client.Leaf.Subject.Organization); diff != "" || client.Leaf.Subject.CommonName != who.user {
			t.Errorf("%s is for %s, want %s; groups (-want +got):\n%s", name, client.Leaf.Subject, who.user, diff)
		}
	}
}

func TestSecureKeepsWhatItMade(t *testing.T) {
	dir := t.TempDir()
	var kubeconfigs [2][]byte
	for i := range kubeconfigs {
		if err := Secure(dir); err != nil {
			t.Fatal(err)
		}
		var err error
		if kubeconfigs[i], err = os.ReadFile(filepath.Join(dir, AdminKubeconfig)); err != nil {
			t.Fatal(err)
		}
	}
	if string(kubeconfigs[0]) != string(kubeconfigs[1]) {
		t.Error("the second call locked out whoever had the kubeconfig of the first")
	}
}
