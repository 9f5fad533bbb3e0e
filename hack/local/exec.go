// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/orderflow-dev/orderflow/hack/local/machine"
	"github.com/orderflow-dev/orderflow/hack/local/part"
	"github.com/orderflow-dev/orderflow/hack/local/rocketmq"
)

// interruptGrace is how long the command may take to end after it was interrupted, before it is killed.
const interruptGrace = 30 * time.Second

// execute runs a command with parts at hand. It fails with a commandError when the command did.
func execute(ctx context.Context, args []string, _, log io.Writer) (err error) {
	flags := flag.NewFlagSet("exec", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	with := flags.String("with", "", "")
	if err := flags.Parse(args); err != nil || flags.NArg() == 0 {
		return errUsage
	}
	if err := machine.Provide(ctx, log, machine.Race()...); err != nil {
		return err
	}
	environment := os.Environ()
	for name := range strings.SplitSeq(*with, ",") {
		switch name {
		case "":
		case "assets":
			store, err := part.Open(log)
			if err != nil {
				return err
			}
			dir, err := store.EnvtestAssets(ctx)
			if err != nil {
				return err
			}
			environment = append(environment, "KUBEBUILDER_ASSETS="+dir)
		case "rocketmq":
			variables, stop, err := privateRocketMQ(ctx, log)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, stop()) }()
			environment = append(environment, variables...)
		default:
			return fmt.Errorf("-with %q: there are only rocketmq and assets", name)
		}
	}
	cmd := exec.CommandContext(ctx, flags.Arg(0), flags.Args()[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Env = os.Stdin, os.Stdout, os.Stderr, environment
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = interruptGrace
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return commandError{code: exit.ExitCode()}
	}
	return err
}

// commandError says that the command ended, as it may, with another code than 0; -1 if a signal ended it.
type commandError struct{ code int }

func (e commandError) Error() string { return fmt.Sprintf("the command ended with code %d", e.code) }

// privateRocketMQ starts a name server and a broker on loopback. They end with stop, and with this process at the latest.
func privateRocketMQ(ctx context.Context, log io.Writer) (variables []string, stop func() error, err error) {
	if err := machine.Provide(ctx, log, machine.RocketMQ()...); err != nil {
		return nil, nil, err
	}
	logger := slog.New(slog.NewTextHandler(log, nil))
	distribution, err := rocketmq.Fetch(ctx, logger)
	if err != nil {
		return nil, nil, err
	}
	dir, err := os.MkdirTemp("", "orderflow-rocketmq-")
	if err != nil {
		return nil, nil, fmt.Errorf("create a folder for RocketMQ: %w", err)
	}
	mq, err := rocketmq.Start(ctx, rocketmq.Options{Dir: dir, Log: logger})
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	stop = func() error { return errors.Join(mq.Stop(context.WithoutCancel(ctx)), os.RemoveAll(dir)) }
	return []string{
		"ORDERFLOW_NAMESRV=" + mq.NameServer(),
		"ORDERFLOW_ROCKETMQ_LIB=" + filepath.Join(distribution.Root, "lib"),
	}, stop, nil
}
