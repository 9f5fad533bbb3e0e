// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"log/slog"
	"os"
	"strconv"

	"go.opentelemetry.io/otel/trace"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/dial"
)

// Options are where a worker finds its files and listens. A pod runs with Defaults.
type Options struct {
	StructureFile, LiveFile        string
	SyncDir, BrokerDir, AdapterDir string
	// BrokerTLSDir has who signs the certificates of name servers and brokers.
	BrokerTLSDir string
	// JournalFile remembers what is in flight for the worker's next life, in a folder that exists. Empty: a message that kills the process is not found out.
	JournalFile string
	// SyncAddress serves /sync and /metrics, HealthAddress /healthz and /readyz; host:port.
	SyncAddress, HealthAddress string
	// Instance tells this worker from all others of its group, and is the same after its container was restarted: the pod's name, or the host's
	// outside a pod.
	Instance string
	// DialBroker connects to name servers and brokers; nil dials any address, loopback too.
	DialBroker dial.Func
	// Spans are made of messages and requests; nil makes none.
	Spans trace.TracerProvider
	Log   *slog.Logger
}

// Defaults are a pod's.
func Defaults(log *slog.Logger) (Options, error) {
	instance, err := os.Getenv(worker.PodNameEnv), error(nil)
	if instance == "" {
		instance, err = os.Hostname()
	}
	return Options{
		StructureFile: worker.StructureFile,
		LiveFile:      worker.LiveFile,
		SyncDir:       worker.SyncDir,
		BrokerDir:     worker.BrokerDir,
		BrokerTLSDir:  worker.BrokerTLSDir,
		AdapterDir:    worker.AdaptersDir,
		JournalFile:   worker.JournalFile,
		SyncAddress:   ":" + strconv.Itoa(worker.SyncPort),
		HealthAddress: ":" + strconv.Itoa(worker.HealthPort),
		Instance:      instance,
		DialBroker:    dial.Broker(),
		Log:           log,
	}, err
}
