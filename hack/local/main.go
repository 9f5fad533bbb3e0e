// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Command local obtains, starts and stops the real parts that OrderFlow is tested and shown with: a RocketMQ and a Kubernetes.
// The packages below it do the work and tell how; this one reads the command line.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

const usage = `usage: go run ./hack/local <verb>

  up                   bring up a Kubernetes and a RocketMQ, or make sure that they are up
  down                 remove them and everything that belongs to them
  status               say which parts run
  env                  print what a shell needs to use them: KUBECONFIG, and a PATH with kubectl
  image build [NAME..] build the named images (manager, worker, shop, stub; default: all) and load them
  assets               print the folder with etcd, kube-apiserver and kubectl for envtest; build them if need be
  exec [-with rocketmq,assets] -- COMMAND...
                       run a command with RocketMQ and envtest's binaries at hand, see environment below

environment of COMMAND:
  KUBEBUILDER_ASSETS      folder of envtest's binaries                    (-with assets)
  ORDERFLOW_NAMESRV       host:port of a RocketMQ that lives as long      (-with rocketmq)
  ORDERFLOW_ROCKETMQ_LIB  folder of RocketMQ's jars                       (-with rocketmq)

environment read:
  ORDERFLOW_DOWNLOADS=off never download envtest's binaries, always build them
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	err := dispatch(ctx, os.Args[1:], os.Stdout, os.Stderr)
	var ended commandError
	switch {
	case errors.Is(err, errUsage):
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	case errors.As(err, &ended): // it has said why by itself
		os.Exit(ended.code)
	case err != nil:
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// errUsage asks for the usage text.
var errUsage = errors.New("unknown command line")

// dispatch runs the verb. What a script may want to read goes to out, everything else to log.
func dispatch(ctx context.Context, args []string, out, log io.Writer) error {
	if len(args) == 0 {
		return errUsage
	}
	verbs := map[string]func(context.Context, []string, io.Writer, io.Writer) error{
		"up": up, "down": down, "status": status, "env": environment,
		"image": images, "assets": assets, "exec": execute,
	}
	verb, ok := verbs[args[0]]
	if !ok {
		return errUsage
	}
	return verb(ctx, args[1:], out, log)
}
