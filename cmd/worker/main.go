// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Command worker runs one consumer group's handler. It takes all it needs from files that the operator mounts; the flags are for running it outside of a
// pod.
package main

import (
	"context"
	"flag"
	"io"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // time zones for expressions: the image has none

	_ "golang.org/x/crypto/x509roots/fallback" // the public roots: the image has none

	"github.com/orderflow-dev/orderflow/runtime/telemetry"
	"github.com/orderflow-dev/orderflow/runtime/tracing"
	"github.com/orderflow-dev/orderflow/runtime/worker"
)

func main() {
	log.SetOutput(io.Discard) // net/http would write there what a third party says unasked, and values of an order may be in that
	level := new(slog.LevelVar)
	logger := telemetry.NewLogger(os.Stdout, level)
	if err := run(logger, level); err != nil {
		logger.Error("worker ended", "error", err)
		os.Exit(1)
	}
}

func run(log *slog.Logger, level *slog.LevelVar) error {
	options, err := worker.Defaults(log)
	if err != nil {
		return err
	}
	flag.StringVar(&options.StructureFile, "structure", options.StructureFile, "file with the group's structure")
	flag.StringVar(&options.LiveFile, "live", options.LiveFile, "file with the limits")
	flag.StringVar(&options.SyncDir, "sync-dir", options.SyncDir, "folder with tls.crt, tls.key and token for the sync call")
	flag.StringVar(&options.BrokerDir, "broker-dir", options.BrokerDir, "folder with the broker's credentials")
	flag.StringVar(&options.BrokerTLSDir, "broker-tls-dir", options.BrokerTLSDir, "folder with the certificates of who signs those of the brokers")
	flag.StringVar(&options.AdapterDir, "adapter-dir", options.AdapterDir, "folder with a folder of credentials for each adapter")
	flag.StringVar(&options.JournalFile, "journal", options.JournalFile, "file that remembers over a crash which messages were in flight; empty for none")
	flag.StringVar(&options.SyncAddress, "sync-address", options.SyncAddress, "where to serve /sync and /metrics")
	flag.StringVar(&options.HealthAddress, "health-address", options.HealthAddress, "where to serve /healthz and /readyz")
	flag.StringVar(&options.Instance, "instance", options.Instance, "name of this worker, unique in its group")
	flag.TextVar(level, "log-level", level, "DEBUG, INFO, WARN or ERROR")
	flag.Parse()

	worker.LimitMemory()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	spans, end, err := tracing.FromEnvironment(ctx, log)
	if err != nil {
		return err
	}
	defer end()
	if spans != nil {
		options.Spans = spans
	}
	w, err := worker.New(options)
	if err != nil {
		return err
	}
	return w.Run(ctx)
}
