// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package credential

import "testing"

func TestASecretIsForTheHostsItNames(t *testing.T) {
	for _, test := range []struct {
		annotation, host string
		want             bool
	}{
		{"api.example.com", "api.example.com", true},
		{"a.org, API.Example.com ,b.org", "api.example.COM", true},
		{"*.example.com", "api.example.com", true},
		{"*.example.com", "example.com", false},
		{"*.example.com", "v1.api.example.com", false},
		{"*.example.com", "apiexample.com", false},
		{"*.example.com", ".example.com", false},
		{"example.com", "api.example.com", false},
		{"*", "api.example.com", false},
		{"", "api.example.com", false},
		{"a.org,", "", false},
		{"10.1.2.3", "10.1.2.3", true},
		{"[fd00::1]", "fd00::1", true},
		{"fd00::1", "[fd00::1]", true},
	} {
		if got := allows(test.annotation, test.host); got != test.want {
			t.Errorf("annotation %q allows host %q: %t, want %t", test.annotation, test.host, got, test.want)
		}
	}
}
