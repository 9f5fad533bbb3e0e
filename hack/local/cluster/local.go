// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/orderflow-dev/orderflow/hack/local/image"
	"github.com/orderflow-dev/orderflow/hack/local/machine"
	"github.com/orderflow-dev/orderflow/hack/local/node"
	"github.com/orderflow-dev/orderflow/hack/local/part"
	"github.com/orderflow-dev/orderflow/hack/local/process"
	"github.com/orderflow-dev/orderflow/hack/local/rocketmq"
	"github.com/orderflow-dev/orderflow/hack/local/sandbox"
)

// nameServerPort is the port that every RocketMQ user knows; in the sandbox nothing else can have it.
const nameServerPort = 9876

// pauseImage holds the namespaces of every pod open.
const pauseImage = "localhost/orderflow/pause:1"

// local runs the cluster as processes of this machine.
type local struct {
	dir   string
	store part.Store
	log   io.Writer
}

func (l *local) sandbox() sandbox.Sandbox {
	return sandbox.Sandbox{Dir: l.dir, Pause: filepath.Join(l.dir, "bin", "pause")}
}

func (l *local) up(ctx context.Context) (*Env, error) {
	if err := l.prepare(ctx); err != nil {
		return nil, err
	}
	layout, err := l.obtain(ctx)
	if err != nil {
		return nil, err
	}
	plan, err := l.plan(ctx, layout)
	if err != nil {
		return nil, err
	}
	if err := l.configure(plan); err != nil {
		return nil, err
	}
	group, err := l.sandbox().Create(ctx)
	if err != nil {
		return nil, err
	}
	if err := l.start(ctx, group, plan.Core); err != nil {
		return nil, err
	}
	// Before there is a kubelet, and with it the first pod.
	if err := l.loadPause(ctx); err != nil {
		return nil, err
	}
	if err := l.kubectl(ctx, layout, bytes.NewReader(plan.Manifests), "apply", "--filename=-"); err != nil {
		return nil, err
	}
	if err := l.start(ctx, group, plan.Rest); err != nil {
		return nil, err
	}
	if err := l.kubectl(ctx, layout, nil, "wait", "--for=condition=Ready", "--timeout=60s", "node/"+node.Name); err != nil {
		return nil, err
	}
	return &Env{
		Way:                  WayLocal,
		Kubeconfig:           filepath.Join(l.dir, node.AdminKubeconfig),
		Kubectl:              filepath.Join(layout.Kubernetes, "kubectl"),
		NameServers:          []string{net.JoinHostPort(sandbox.Broker, strconv.Itoa(nameServerPort))},
		NameServersInCluster: []string{NameServer},
		dir:                  l.dir,
	}, nil
}

// prepare makes this machine ready for a new cluster, unless one is up. What is left of one whose sandbox is gone or was never
// finished is removed: half a cluster is not worth saving.
func (l *local) prepare(ctx context.Context) error {
	_, ok, err := l.sandbox().Current()
	if err != nil || ok {
		return err
	}
	if err := machine.Fit(); err != nil {
		return err
	}
	if err := machine.Provide(ctx, l.log, slices.Concat(machine.Node(), machine.Image(), machine.RocketMQ())...); err != nil {
		return err
	}
	removed, err := l.sandbox().Destroy(ctx)
	for _, what := range removed {
		fmt.Fprintln(l.log, "removed what an earlier cluster left:", what)
	}
	return err
}

// start runs the specs and returns when all of them are ready.
func (l *local) start(ctx context.Context, group process.Group, specs []process.Spec) error {
	names := make([]string, len(specs))
	for i, spec := range specs {
		names[i] = spec.Name
	}
	began := time.Now()
	fmt.Fprintf(l.log, "starting %s\n", strings.Join(names, ", "))
	if err := group.Start(ctx, specs...); err != nil {
		return err
	}
	fmt.Fprintf(l.log, "ready after %s\n", time.Since(began).Round(100*time.Millisecond))
	return nil
}

// obtain builds what is missing and says where everything is.
func (l *local) obtain(ctx context.Context) (node.Layout, error) {
	layout := node.Layout{Dir: l.dir, PauseImage: pauseImage}
	for _, each := range []struct {
		part part.Part
		dir  *string
	}{
		{part.Kubernetes(), &layout.Kubernetes},
		{part.Containerd(), &layout.Containerd},
		{part.CoreDNS(), &layout.CoreDNS},
	} {
		dir, err := l.store.Obtain(ctx, each.part)
		if err != nil {
			return layout, err
		}
		*each.dir = dir
	}
	return layout, l.store.Link(ctx, "./hack/local/pause", l.sandbox().Pause)
}

// plan says what to run: Kubernetes with RocketMQ's nodes among it.
func (l *local) plan(ctx context.Context, layout node.Layout) (node.Plan, error) {
	plan, err := node.NewPlan(layout)
	if err != nil {
		return plan, err
	}
	mq, err := l.rocketmq(ctx)
	if err != nil {
		return plan, err
	}
	plan.Core = append(plan.Core, mq[:1]...)
	plan.Rest = append(plan.Rest, mq[1:]...)
	return plan, nil
}

// configure writes the cluster's keys and configuration. Files that are right already are not touched: kube-proxy, for one,
// ends when its own is written.
func (l *local) configure(plan node.Plan) error {
	if err := node.Secure(l.dir); err != nil {
		return err
	}
	for name, content := range plan.Files {
		path := filepath.Join(l.dir, name)
		if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, content) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("create the folder of %s: %w", name, err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}

// rocketmq returns the name server and, after it, the broker.
func (l *local) rocketmq(ctx context.Context) ([]process.Spec, error) {
	commands, err := rocketmq.Plan(ctx, rocketmq.Options{
		Dir: l.dir, Host: sandbox.Broker, NameServerPort: nameServerPort,
		Brokers: []rocketmq.Broker{{Name: rocketmq.DefaultBroker, Port: 10911}},
		Log:     slog.New(slog.NewTextHandler(l.log, nil)),
	})
	if err != nil {
		return nil, err
	}
	specs := make([]process.Spec, len(commands))
	for i, c := range commands {
		specs[i] = process.Spec{Name: c.Name, Path: c.Line[0], Args: c.Line[1:], Env: c.Env, Ready: c.Ready}
	}
	return specs, nil
}

// loadPause builds the image that no pod can do without and puts it onto the node.
func (l *local) loadPause(ctx context.Context) error {
	archive := filepath.Join(l.dir, "pause.tar")
	if _, err := os.Stat(archive); err == nil {
		return l.load(ctx, archive)
	}
	context := filepath.Dir(l.sandbox().Pause)
	if err := os.WriteFile(filepath.Join(context, "Dockerfile"), pauseDockerfile, 0o600); err != nil {
		return fmt.Errorf("write the Dockerfile of the pause image: %w", err)
	}
	err := image.Builder{Root: context}.Archive(ctx, image.Image{
		Name: pauseImage, File: "Dockerfile", Target: "pause", Binary: "pause",
	}, archive)
	if err != nil {
		return err
	}
	return l.load(ctx, archive)
}

// pauseDockerfile packs the program that hack/local/pause is.
var pauseDockerfile = []byte("FROM scratch AS pause\nCOPY pause /pause\nUSER 65532:65532\nENTRYPOINT [\"/pause\"]\n")

func (l *local) load(ctx context.Context, archive string) error {
	group, ok, err := l.sandbox().Current()
	if err != nil {
		return err
	}
	if !ok {
		return ErrDown
	}
	containerd, err := l.store.Obtain(ctx, part.Containerd())
	if err != nil {
		return err
	}
	file, err := os.Open(archive)
	if err != nil {
		return fmt.Errorf("open the image archive: %w", err)
	}
	defer file.Close()
	cmd := group.Command(ctx, filepath.Join(containerd, "ctr"), "--namespace=k8s.io", "images", "import", "-")
	cmd.Stdin = file
	return process.Run(cmd)
}

func (l *local) down(ctx context.Context) ([]string, error) { return l.sandbox().Destroy(ctx) }

func (l *local) left(context.Context) ([]string, error) { return l.sandbox().Left() }

func (l *local) status(ctx context.Context) (lines []string, healthy bool, err error) {
	layout, err := l.obtain(ctx)
	if err != nil {
		return nil, false, err
	}
	plan, err := l.plan(ctx, layout)
	if err != nil {
		return nil, false, err
	}
	healthy = true
	group := process.Group{Dir: l.dir}
	for _, spec := range slices.Concat(plan.Core, plan.Rest) {
		p, running, err := group.Find(spec)
		if err != nil {
			return nil, false, err
		}
		state := fmt.Sprintf("running, pid %d", p.PID)
		if !running {
			state, healthy = "down, see "+filepath.Join(group.Folder(spec.Name), "log"), false
		} else if spec.Ready != nil {
			if err := spec.Ready(ctx); err != nil {
				state, healthy = fmt.Sprintf("%s, not ready: %v", state, err), false
			}
		}
		lines = append(lines, fmt.Sprintf("%-24s %s", spec.Name, state))
	}
	return lines, healthy, nil
}

// broker returns the broker and the group it runs in.
func (l *local) broker(ctx context.Context) (process.Group, process.Spec, error) {
	group, ok, err := l.sandbox().Current()
	if err != nil {
		return group, process.Spec{}, err
	}
	if !ok {
		return group, process.Spec{}, ErrDown
	}
	specs, err := l.rocketmq(ctx)
	if err != nil {
		return group, process.Spec{}, err
	}
	return group, specs[1], nil
}

func (l *local) hangBroker(ctx context.Context) error {
	group, spec, err := l.broker(ctx)
	if err != nil {
		return err
	}
	broker, running, err := group.Find(spec)
	if err == nil && !running {
		err = errors.New("the broker does not run")
	}
	if err != nil {
		return err
	}
	return group.Signal(broker, syscall.SIGSTOP)
}

func (l *local) restartBroker(ctx context.Context) error {
	group, spec, err := l.broker(ctx)
	if err != nil {
		return err
	}
	if err := group.Kill(ctx, spec); err != nil {
		return err
	}
	return group.Start(ctx, spec)
}

func (l *local) stopAPIServer(ctx context.Context) error {
	group, spec, err := l.apiServer(ctx)
	if err != nil {
		return err
	}
	return group.Kill(ctx, spec)
}

func (l *local) startAPIServer(ctx context.Context) error {
	group, spec, err := l.apiServer(ctx)
	if err != nil {
		return err
	}
	return group.Start(ctx, spec)
}

// apiServer returns the API server and the group it runs in.
func (l *local) apiServer(ctx context.Context) (process.Group, process.Spec, error) {
	group, ok, err := l.sandbox().Current()
	if err != nil {
		return group, process.Spec{}, err
	}
	if !ok {
		return group, process.Spec{}, ErrDown
	}
	layout, err := l.obtain(ctx)
	if err != nil {
		return group, process.Spec{}, err
	}
	plan, err := node.NewPlan(layout)
	if err != nil {
		return group, process.Spec{}, err
	}
	for _, spec := range plan.Core {
		if spec.Name == node.APIServer {
			return group, spec, nil
		}
	}
	return group, process.Spec{}, errors.New("the plan has no API server")
}

// kubectl runs the kubectl of the cluster's version, as its admin.
func (l *local) kubectl(ctx context.Context, layout node.Layout, in io.Reader, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(layout.Kubernetes, "kubectl"),
		append([]string{"--kubeconfig=" + filepath.Join(l.dir, node.AdminKubeconfig)}, args...)...)
	cmd.Stdin = in
	return process.Run(cmd)
}
