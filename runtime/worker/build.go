// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package worker

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/internal/certificate"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
	"github.com/orderflow-dev/orderflow/runtime/adapter"
	"github.com/orderflow-dev/orderflow/runtime/consumer"
	"github.com/orderflow-dev/orderflow/runtime/delivery"
	"github.com/orderflow-dev/orderflow/runtime/handler"
	"github.com/orderflow-dev/orderflow/runtime/journal"
	"github.com/orderflow-dev/orderflow/runtime/outcome"
	"github.com/orderflow-dev/orderflow/runtime/secret"
	"github.com/orderflow-dev/orderflow/runtime/shadow"
	"github.com/orderflow-dev/orderflow/runtime/telemetry"
	"github.com/orderflow-dev/orderflow/runtime/tracing"
)

// New reads the files and builds a worker, or says what is wrong with them.
func New(o Options) (*Worker, error) {
	data, err := os.ReadFile(o.StructureFile)
	if err != nil {
		return nil, fmt.Errorf("read the structure: %w", err)
	}
	structure, err := worker.DecodeStructure(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.StructureFile, err)
	}
	log := telemetry.OfGroup(o.Log, structure)
	w := &Worker{
		options:   o,
		structure: structure,
		name:      worker.StructureName(structure.Name, data),
		metrics:   telemetry.New(structure),
		log:       log,
		started:   time.Now().UTC().Truncate(time.Second),
	}
	if w.live, err = newLive(structure, o.LiveFile, w.metrics, log); err != nil {
		return nil, err
	}
	if err := w.assemble(); err != nil {
		return nil, err
	}
	w.health = &health{look: w.stuck, log: log}
	w.live.setLimits = w.setLimits
	w.live.takeTemplates()
	w.metrics.Watch(structure, w.consumer.Snapshot, w.reports)
	return w, nil
}

// assemble builds everything between a message and a third party.
func (w *Worker) assemble() error {
	if err := w.buildAdapters(); err != nil {
		return err
	}
	h, err := handler.New(handler.Config{Structure: w.structure, Adapters: w.callers(), Recipient: w.recipient()})
	if err != nil {
		return fmt.Errorf("build the handler: %w", err)
	}
	w.live.setTemplates = h.SetTemplates
	w.delivery, err = delivery.New(delivery.Config{
		Handler: h, Structure: w.structure, Observer: w.metrics, Log: w.log,
		Clock: func() (time.Time, bool) { return w.consumer.Earliest() },
	})
	if err != nil {
		return fmt.Errorf("build the delivery: %w", err)
	}
	orderKey, err := delivery.OrderKey(w.structure)
	if err != nil {
		return fmt.Errorf("build the consumer: %w", err)
	}
	if w.structure.Shadow {
		orderKey = shadow.OrderKey(orderKey, telemetry.Whole(w.log))
	}
	w.delivery.Allow(handlingTime(w.structure.Handler, w.live.current))
	w.delivery.Skip(w.live.current.SkipMessageIDs)
	s := w.structure
	expression, expressionType := s.TagExpression, rocketmq.TypeTag
	if s.SQLExpression != "" {
		expression, expressionType = s.SQLExpression, rocketmq.TypeSQL92
	}
	model := consumer.Clustering
	if s.Broadcasting {
		model = consumer.Broadcasting
	}
	w.consumer, err = consumer.New(consumer.Config{
		NameServers:    s.NameServers,
		Remoting:       rocketmq.Config{DialContext: w.options.DialBroker, Credentials: w.brokerCredentials(), TLS: w.brokerTLS()},
		Group:          s.Group,
		Instance:       worker.ClientID(s.Namespace, w.options.Instance),
		Topic:          s.Topic,
		Expression:     expression,
		ExpressionType: expressionType,
		Mode:           consumer.Mode(s.Mode),
		Model:          model,
		Handler:        w.messages(),
		OrderKey:       orderKey,
		Concurrency:    s.Concurrency,
		MaxUncommitted: s.MaxUncommitted,
		MaxAttempts:    s.Retry.MaxAttempts,
		Grace:          grace(s.TerminationGrace.D()),
		Journal:        w.journal(),
		Observer:       w.metrics,
		Log:            w.log,
	})
	if err == nil {
		w.consumer.Suspend(outcome.Reason(w.live.current.Suspended))
	}
	return err
}

// recipient is whose effect a message has, where that is not the group's: this pod's.
func (w *Worker) recipient() string {
	if w.structure.Broadcasting {
		return w.options.Instance
	}
	return ""
}

// journal opens the pod's. Without one the worker still does its work.
func (w *Worker) journal() *journal.Journal {
	if w.options.JournalFile == "" {
		return nil
	}
	j, err := journal.Open(w.options.JournalFile, w.structure.Concurrency)
	switch {
	case err != nil:
		w.log.Error("a message that kills this process will not be found out: what is in flight cannot be noted", "error", err)
		return nil
	case j.Suspects() > 0:
		w.log.Warn("the process before this one died: what it had in flight is handled one by one", "messages", j.Suspects())
	}
	return j
}

func (w *Worker) buildAdapters() error {
	open, err := prefixes(w.structure.PrivateNetworks)
	if err != nil {
		return err
	}
	w.transport = adapter.NewTransport(open, w.structure.Concurrency)
	w.adapters = map[string]*adapter.Adapter{}
	if w.structure.Shadow {
		return nil // nobody is called
	}
	var errs []error
	for _, spec := range w.structure.Adapters {
		dir := filepath.Join(w.options.AdapterDir, spec.Name)
		secured := adapter.NewSecured(spec, dir, w.transport)
		a, err := adapter.New(adapter.Config{
			Spec:          spec,
			Limits:        w.live.limits(spec.Name),
			CredentialDir: dir,
			Transport:     w.requests(spec, secured),
			Secured:       secured,
			Observer:      w.metrics,
			Callers:       w.structure.Concurrency,
		})
		w.adapters[spec.Name] = a
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// callers make the requests of the handler's steps, or log them.
func (w *Worker) callers() map[string]handler.Caller {
	if w.structure.Shadow {
		return shadow.Callers(w.structure, telemetry.Whole(w.log))
	}
	callers := map[string]handler.Caller{}
	for name, a := range w.adapters {
		callers[name] = a
	}
	return callers
}

// messages is the delivery: without consequences in the shadow, and with spans where they are wanted.
func (w *Worker) messages() consumer.Handler {
	var h consumer.Handler = w.delivery
	if w.structure.Shadow {
		h = shadow.Messages(h, telemetry.Whole(w.log))
	}
	if w.options.Spans != nil {
		h = tracing.Messages(h, w.options.Spans, w.structure.Group, w.structure.Topic)
	}
	return h
}

// requests is the transport of an adapter, with spans where they are wanted.
func (w *Worker) requests(a worker.Adapter, secured *adapter.Secured) http.RoundTripper {
	var transport http.RoundTripper = w.transport
	if secured != nil {
		transport = secured
	}
	if w.options.Spans == nil {
		return transport
	}
	return tracing.Requests(transport, w.options.Spans, a.Name, a.URL)
}

func prefixes(cidrs []string) ([]netip.Prefix, error) {
	var list []netip.Prefix
	for _, cidr := range cidrs {
		prefix, err := netip.ParsePrefix(cidr)
		if err != nil {
			return nil, fmt.Errorf("privateNetworks: %q is no network like 10.0.0.0/8", cidr)
		}
		list = append(list, prefix)
	}
	return list, nil
}

// brokerCredentials returns what reads the cluster's ACL Secret, nil without access control. While the Secret cannot be read requests go out
// unsigned, and the broker says what is missing.
func (w *Worker) brokerCredentials() func() rocketmq.Credentials {
	if !w.structure.ACL {
		return nil
	}
	read := secret.Cached(func() (rocketmq.Credentials, error) {
		access, errAccess := secret.Text(w.options.BrokerDir, worker.AccessKeyKey)
		key, errKey := secret.Text(w.options.BrokerDir, worker.SecretKeyKey)
		token, errToken := secret.Text(w.options.BrokerDir, worker.SecurityTokenKey)
		if errors.Is(errToken, secret.ErrMissing) {
			errToken = nil // it comes with temporary credentials only
		}
		if err := errors.Join(errAccess, errKey, errToken); err != nil {
			w.log.Error("the broker's credentials cannot be read", "error", err)
			return rocketmq.Credentials{}, err
		}
		return rocketmq.Credentials{AccessKey: access, SecretKey: key, SecurityToken: token}, nil
	})
	return func() rocketmq.Credentials {
		credentials, _ := read() // said in the log
		return credentials
	}
}

// brokerTLS returns how connections to name servers and brokers are made; nil: in plain text. Who is trusted is read again for later ones; while that
// cannot be read, it is who was trusted before.
func (w *Worker) brokerTLS() func() (*tls.Config, error) {
	spec := w.structure.BrokerTLS
	switch {
	case spec == nil:
		return nil
	case !spec.CA:
		return func() (*tls.Config, error) { return certificate.Client(nil, spec.ServerName) }
	}
	return secret.Cached(w.trust(spec))
}

// trust returns what reads who is trusted; one call at a time.
func (w *Worker) trust(spec *worker.BrokerTLS) func() (*tls.Config, error) {
	var held *tls.Config
	return func() (*tls.Config, error) {
		fresh, err := w.readAuthorities(spec.ServerName)
		switch {
		case err == nil:
			held = fresh
		case held == nil:
			return nil, err
		default:
			w.log.Error("who may be a broker is as before, since the certificates to trust cannot be read", "error", err)
		}
		return held, nil
	}
}

func (w *Worker) readAuthorities(serverName string) (*tls.Config, error) {
	authorities, err := secret.File(w.options.BrokerTLSDir, worker.CAKey)
	if err != nil {
		return nil, fmt.Errorf("read who signs the brokers' certificates: %w", err)
	}
	return certificate.Client([]byte(authorities), serverName)
}

// grace is what the consumer may use of the time a stopping pod has: the rest is for committing, unregistering and ending the process.
func grace(termination time.Duration) time.Duration {
	const margin = 5 * time.Second
	return termination - min(margin, termination/4)
}
