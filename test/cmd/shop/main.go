// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Command shop serves the order system of package test/shop until it is told to stop.
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

	"github.com/orderflow-dev/orderflow/runtime/producer"
	"github.com/orderflow-dev/orderflow/test/shop"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "address to serve on; port 0 takes a free one")
	database := flag.String("database", "", "path of the database file (needed)")
	binding := flag.String("binding", "", "directory of the mounted producer-binding Secret; without it only coupled orders are paid")
	thirdParties := flag.String("third-parties", "", "base URL of the third parties, for coupled orders")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	cfg := shop.Config{Database: *database, ThirdParties: *thirdParties, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	if err := run(ctx, *listen, *binding, cfg); err != nil {
		fmt.Fprintln(os.Stderr, "shop:", err)
		os.Exit(1)
	}
}

// shutdownTimeout is how long requests in progress have when the shop stops.
const shutdownTimeout = 15 * time.Second

func run(ctx context.Context, listen, bindingDir string, cfg shop.Config) (err error) {
	if cfg.Database == "" {
		return errors.New("-database is needed: where to keep the orders")
	}
	if bindingDir != "" {
		binding, err := producer.ReadBinding(bindingDir)
		if err != nil {
			return err
		}
		cfg.Binding = &binding
	}
	s, err := shop.New(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	cfg.Logger.Info("shop listening", "address", listener.Addr().String())
	server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	shutdownCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	return server.Shutdown(shutdownCtx)
}
