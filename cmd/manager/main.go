// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Command manager is OrderFlow's operator: it watches OrderFlow's kinds and makes topics, consumer groups and workers as they declare.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // time zones for expressions: the image has none

	"github.com/go-logr/logr"
	_ "golang.org/x/crypto/x509roots/fallback" // the public roots: the image has none
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/orderflow-dev/orderflow/controllers/mqconsumergroup"
	"github.com/orderflow-dev/orderflow/controllers/operator"
	"github.com/orderflow-dev/orderflow/controllers/topology"
	"github.com/orderflow-dev/orderflow/internal/dial"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// defaultTraceRatio shows what is usual without costing much; senders that trace decide for themselves.
const defaultTraceRatio = 0.01

// options are the flags.
type options struct {
	workerImage     string
	namespace       string
	watch           list
	privateNetworks list
	otlpEndpoint    string
	traceRatio      float64
	metricsAddress  string
	healthAddress   string
	leaderElection  bool
}

func (o options) operator() operator.Options {
	return operator.Options{
		DialPod: dial.Worker(), WorkerImage: o.workerImage, Namespace: o.namespace, Watch: o.watch, PrivateNetworks: o.privateNetworks,
		Tracing:        mqconsumergroup.Tracing{Endpoint: o.otlpEndpoint, Ratio: o.traceRatio},
		MetricsAddress: o.metricsAddress, HealthAddress: o.healthAddress, LeaderElection: o.leaderElection,
	}
}

func main() {
	level := new(slog.LevelVar)
	log := slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{Level: level}))
	var o options
	flag.StringVar(&o.workerImage, "worker-image", "", "image of the workers of groups that name none (required)")
	flag.StringVar(&o.namespace, "namespace", "", "namespace the operator runs in: of its lease, and from which workers let it in (required)")
	flag.Var(&o.watch, "watch-namespaces", "namespaces to look after, separated by commas; default all")
	flag.Var(&o.privateNetworks, "private-networks", "CIDRs inside private ranges that third parties may live in, separated by commas; default none")
	flag.StringVar(&o.otlpEndpoint, "otlp-endpoint", "", "URL of the OTLP collector, over HTTP, that workers send traces to; default none. A change replaces the workers' pods")
	flag.Float64Var(&o.traceRatio, "trace-ratio", defaultTraceRatio, "share of the orders to trace whose sender did not decide, 0 to 1")
	flag.StringVar(&o.metricsAddress, "metrics-address", ":8443", "where to serve /metrics over TLS, to who may get it; 0 for nowhere")
	flag.StringVar(&o.healthAddress, "health-address", ":8081", "where to serve /healthz and /readyz")
	flag.BoolVar(&o.leaderElection, "leader-election", true, "let one of several operators act; turn off only where there is one")
	flag.TextVar(level, "log-level", level, "DEBUG, INFO, WARN or ERROR")
	flag.Parse()
	if err := o.validate(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}

	ctrl.SetLogger(logr.FromSlogHandler(log.Handler()))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, o, log); err != nil {
		log.Error("the operator ended", "error", err)
		os.Exit(1) //nolint:gocritic // stop has nothing left to do
	}
}

func run(ctx context.Context, o options, log *slog.Logger) error {
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the API server: %w", err)
	}
	connector := &topology.Connector{Client: rocketmq.Config{DialContext: dial.Broker()}}
	defer connector.Close()
	mgr, err := operator.New(config, connector, o.operator(), log)
	if err != nil {
		return err
	}
	return mgr.Start(ctx)
}

func (o options) validate() error {
	var errs []error
	if o.workerImage == "" {
		errs = append(errs, errors.New("-worker-image is required: the image of the workers"))
	}
	if o.namespace == "" {
		errs = append(errs, errors.New("-namespace is required: the namespace the operator runs in"))
	}
	for _, cidr := range o.privateNetworks {
		if _, err := netip.ParsePrefix(cidr); err != nil {
			errs = append(errs, fmt.Errorf("-private-networks: %w", err))
		}
	}
	u, err := url.Parse(o.otlpEndpoint)
	if o.otlpEndpoint != "" && (err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https") {
		errs = append(errs, errors.New("-otlp-endpoint is no URL like http://collector.observability:4318, without a password: it is written into the pods"))
	}
	if !(o.traceRatio >= 0 && o.traceRatio <= 1) {
		errs = append(errs, errors.New("-trace-ratio lies between 0 and 1"))
	}
	return errors.Join(errs...)
}

// list is a flag of values separated by commas.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

func (l *list) Set(value string) error {
	*l = nil
	for item := range strings.SplitSeq(value, ",") {
		if item = strings.TrimSpace(item); item != "" {
			*l = append(*l, item)
		}
	}
	return nil
}
