// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package control

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/orderflow-dev/orderflow/test/broker"
)

// The flags.
var (
	large    = flag.Int("control.groups", 5000, "groups where the figures say 5000; they are a fifth and a fiftieth where these say 1000 and 100")
	idle     = flag.Duration("control.idle", time.Minute, "how long nothing happens where idle objects are measured")
	profiles = flag.String("control.profiles", "", "where the operator serves its profiles, as 127.0.0.1:6060")
)

func TestMain(m *testing.M) {
	text := os.Getenv(processVariable)
	if text == "" {
		ctrl.SetLogger(logr.Discard())
		broker.Main(m)
		return
	}
	var p process
	err := json.Unmarshal([]byte(text), &p)
	if err == nil {
		err = p.run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "process:", err)
		os.Exit(1)
	}
}
