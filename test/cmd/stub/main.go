// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Command stub serves the third-party stubs of package test/stub until it is told to stop.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/orderflow-dev/orderflow/test/stub"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8090", "address to serve on; port 0 takes a free one")
	seed := flag.Uint64("seed", 1, "seed of the latencies")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, slog.New(slog.NewTextHandler(os.Stderr, nil)), *listen, *seed); err != nil {
		fmt.Fprintln(os.Stderr, "stub:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends. Calls in progress, which may be black holes, are cut off.
func run(ctx context.Context, logger *slog.Logger, listen string, seed uint64) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	logger.Info("stub listening", "address", listener.Addr().String())
	server := &http.Server{Handler: stub.New(stub.Config{Seed: seed, Logger: logger}), ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() {
		if err := server.Close(); err != nil {
			logger.Warn("server not closed cleanly", "error", err)
		}
	})()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}
