// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package workersync_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/controllers/workersync"
)

const day = 24 * time.Hour

var (
	noon       = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	serverName = worker.SyncServerName("shop", "push")
)

func credentials(t *testing.T, now time.Time) workersync.Credentials {
	t.Helper()
	c, err := workersync.NewCredentials(serverName, now)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestRenew(t *testing.T) {
	for name, test := range map[string]struct {
		have    func(workersync.Credentials) workersync.Credentials
		after   time.Duration
		renewed bool
		kept    bool // the old ones, beside the new
	}{
		"new ones stay":                         {after: 0},
		"they stay for two thirds of 90 days":   {after: 60*day - time.Second},
		"then they are renewed with an overlap": {after: 60 * day, renewed: true, kept: true},
		"expired ones are not kept":             {after: 91 * day, renewed: true},
		"an empty Secret gets credentials":      {have: func(workersync.Credentials) workersync.Credentials { return workersync.Credentials{} }, renewed: true},
		"a certificate that is none is replaced": {have: func(c workersync.Credentials) workersync.Credentials {
			c.Certificate = []byte("nonsense")
			return c
		}, renewed: true},
		"a key of another certificate is replaced": {have: func(c workersync.Credentials) workersync.Credentials {
			c.Key = credentials(t, noon).Key
			return c
		}, renewed: true},
		"a missing token is replaced, with the certificate": {have: func(c workersync.Credentials) workersync.Credentials {
			c.Token = ""
			return c
		}, renewed: true},
	} {
		t.Run(name, func(t *testing.T) {
			old := credentials(t, noon)
			if test.have != nil {
				old = test.have(old)
			}
			got, err := old.Renew(serverName, noon.Add(test.after))
			if err != nil {
				t.Fatal(err)
			}
			if renewed := !bytes.Equal(got.Certificate, old.Certificate) && got.Token != old.Token; renewed != test.renewed {
				t.Errorf("renewed is %t, want %t", renewed, test.renewed)
			}
			if kept := got.PreviousToken != "" && got.PreviousToken == old.Token && bytes.Equal(got.PreviousCertificate, old.Certificate); kept != test.kept {
				t.Errorf("the old ones are kept is %t, want %t", kept, test.kept)
			}
			again, err := got.Renew(serverName, noon.Add(test.after))
			if diff := cmp.Diff(got, again); err != nil || diff != "" {
				t.Errorf("what was just renewed is renewed again: %v\n%s", err, diff)
			}
		})
	}
}

func TestCredentialsOfAnotherGroupAreReplaced(t *testing.T) {
	other, err := workersync.NewCredentials(worker.SyncServerName("shop", "credit"), noon)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := other.Renew(serverName, noon); err != nil || got.Token == other.Token || got.PreviousToken != "" {
		t.Errorf("got %v, and the token or its predecessor is the other group's", err)
	}
}

func TestCredentialsSurviveTheSecret(t *testing.T) {
	first := credentials(t, noon)
	second, err := first.Renew(serverName, noon.Add(61*day))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []workersync.Credentials{first, second} {
		if diff := cmp.Diff(c, workersync.ReadCredentials(c.Data())); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}
