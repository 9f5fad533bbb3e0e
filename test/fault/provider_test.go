// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package fault

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/test/rig"
)

// sickFor is how long a third party is at fault.
const sickFor = 12 * time.Second

func providerFaults() []fault {
	steer := func(behaviour string) func(*stage) { return func(s *stage) { s.party.Steer(behaviour) } }
	list := []fault{
		{name: "provider_refuses", strike: func(s *stage) { s.party.Close() }, heal: func(s *stage) { s.party.Open() }},
		{name: "tls_expired", tls: true, strike: func(s *stage) { s.party.Expire(true) }, heal: func(s *stage) { s.party.Expire(false) }},
		dnsFails(),
	}
	for name, behaviour := range map[string]string{
		"provider_resets_connections": `{"mode":"down"}`,
		"provider_black_holes":        `{"mode":"blackhole"}`,
		"provider_resets_mid_body":    `{"mode":"reset"}`,
		"provider_drips":              `{"mode":"drip"}`,
		"provider_10mib_body":         `{"mode":"big"}`,
		"provider_429":                `{"mode":"status","status":429}`,
		"provider_429_retry_after":    `{"mode":"status","status":429,"retryAfter":"3s"}`,
		"provider_5xx_half":           `{"mode":"status","status":503,"share":0.5}`,
		"provider_latency_x100":       `{"latency":"2s"}`,
		"provider_garbage_200":        `{"mode":"garbage"}`,
		"provider_redirect_loop":      `{"mode":"redirect"}`,
	} {
		list = append(list, fault{name: name, strike: steer(behaviour), heal: steer(`{"mode":"healthy","latency":"20ms","share":0,"retryAfter":"0s"}`)})
	}
	for i := range list {
		list[i].provider, list[i].lasts, list[i].pods = true, sickFor, 2
	}
	return list
}

// hostsSeen is after how long a worker certainly reads a changed hosts file: Go keeps it for 5 s.
const hostsSeen = 6 * time.Second

// dnsFails lets the third party's name lead nowhere, and closes the connections that were made before.
func dnsFails() fault {
	var hosts string
	write := func(s *stage, text string) {
		if err := os.WriteFile(hosts, []byte(text), 0o600); err != nil {
			s.Fatal(err)
		}
	}
	known := func(s *stage) { write(s, "127.0.0.1 localhost\n"+s.flow.Address+" "+rig.NamedHost+"\n") }
	return fault{name: "dns_fails", prepare: func(s *stage) {
		hosts = filepath.Join(s.TempDir(), "hosts")
		known(s)
		for _, p := range s.pods {
			p.Hosts = hosts
		}
	}, declare: func(s *worker.Structure, _ *worker.Live) {
		u, err := url.Parse(s.Adapters[0].URL)
		if err == nil {
			s.Adapters[0].URL = "http://" + rig.NamedHost + ":" + u.Port()
		}
	}, strike: func(s *stage) {
		write(s, "127.0.0.1 localhost\n")
		rig.Wait(s.Context(), hostsSeen)
		s.party.Hangup()
	}, heal: known, check: func(s *stage, _ rig.Verdict) {
		if !strings.Contains(s.lastWords(), "parked") {
			s.Log("no pod said that it parked")
		}
	}}
}
