// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBadOptionsAreRefusedWithASentence(t *testing.T) {
	for name, test := range map[string]struct {
		options Options
		want    string
	}{
		"no folder":                {Options{}, "Dir is empty"},
		"a host name":              {Options{Dir: "d", Host: "localhost"}, `Host "localhost" is not an IP address`},
		"a broker that leaves Dir": {Options{Dir: "d", Brokers: []Broker{{Name: "../a"}}}, `broker name "../a"`},
		"a nameless broker":        {Options{Dir: "d", Brokers: []Broker{{}}}, `broker name ""`},
		"two brokers of one name":  {Options{Dir: "d", Brokers: []Broker{{Name: "a"}, {Name: "a"}}}, `"a" is taken`},
		"a broker called namesrv":  {Options{Dir: "d", Brokers: []Broker{{Name: "namesrv"}}}, `"namesrv" is taken`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Start(t.Context(), test.options)
			mustFail(t, err, test.want)
		})
	}
}

func TestABrokersPropertiesOverrideTheClustersAndThoseOurs(t *testing.T) {
	brokers := []Broker{{Name: "a", Properties: map[string]string{"x": "broker"}}, {Name: "b"}}
	o, err := Options{
		Dir: "/d", Brokers: brokers, Properties: map[string]string{"x": "cluster", "flushDiskType": "SYNC_FLUSH"},
	}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, b := range o.Brokers {
		config, err := brokerConfig(o, b)
		if err != nil {
			t.Fatal(err)
		}
		got[b.Name] = []string{config["x"], config["flushDiskType"], config["storePathRootDir"]}
	}
	want := map[string][]string{"a": {"broker", "SYNC_FLUSH", "/d/a/store"}, "b": {"cluster", "SYNC_FLUSH", "/d/b/store"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("x, flushDiskType and the store (-want +got):\n%s", diff)
	}
	if brokers[1].Properties != nil {
		t.Error("the caller's brokers were changed")
	}
}

func TestPropertiesCannotBreakOutOfTheirLine(t *testing.T) {
	got := string(properties(map[string]string{"b": "two\nlines", "a": `back\slash`}))
	if want := "a=back\\\\slash\nb=two\\nlines\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
