// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/lru"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/controllers/apply"
	"github.com/orderflow-dev/orderflow/controllers/deadletterreplay"
	"github.com/orderflow-dev/orderflow/controllers/index"
	"github.com/orderflow-dev/orderflow/controllers/lag"
	"github.com/orderflow-dev/orderflow/controllers/metric"
	"github.com/orderflow-dev/orderflow/controllers/mqcluster"
	"github.com/orderflow-dev/orderflow/controllers/mqconsumergroup"
	"github.com/orderflow-dev/orderflow/controllers/orderflow"
	"github.com/orderflow-dev/orderflow/controllers/thirdpartyadapter"
	"github.com/orderflow-dev/orderflow/controllers/topology"
	"github.com/orderflow-dev/orderflow/controllers/verification"
	"github.com/orderflow-dev/orderflow/controllers/workersync"
	"github.com/orderflow-dev/orderflow/internal/dial"
)

// Options are the operator's settings.
type Options struct {
	// DialPod connects to pods for the sync calls: dial.Worker's, but for pods that are simulated on this machine. nil: a net.Dialer's.
	DialPod dial.Func
	// WorkerImage of groups that name none.
	WorkerImage string
	// Namespace the operator runs in: of its lease, and from which workers let it in.
	Namespace string
	// Watch are the namespaces to look after; none is all.
	Watch []string
	// PrivateNetworks are CIDRs inside private ranges that third parties may live in.
	PrivateNetworks []string
	// Tracing is where the workers' traces go.
	Tracing mqconsumergroup.Tracing
	// MetricsAddress and HealthAddress are where /metrics, and /healthz and /readyz, are served; 0 is nowhere.
	MetricsAddress, HealthAddress string
	// LeaderElection lets one of several operators act.
	LeaderElection bool
}

// surveyEvery is for how long the name servers' list of brokers answers for all: thousands of objects ask for it.
const surveyEvery = 5 * time.Second

// New makes the manager with all it runs, in a process that is its alone. The connector gets the manager's way to read Secrets; whoever made it closes it.
func New(config *rest.Config, connector *topology.Connector, o Options, log *slog.Logger) (ctrl.Manager, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, fmt.Errorf("register the kinds: %w", err)
	}
	mgr, err := ctrl.NewManager(config, managerOptions(o, scheme))
	if err != nil {
		return nil, fmt.Errorf("make the manager: %w", err)
	}
	connector.Secrets = mgr.GetAPIReader()
	if err := index.Register(context.Background(), mgr.GetFieldIndexer()); err != nil {
		return nil, err
	}
	connector.SurveyEvery = surveyEvery
	verified := metric.Verified{
		"MQCluster": verification.New(0), "OrderFlow": verification.New(orderflow.VerifyEvery), "MQConsumerGroup": verification.New(mqconsumergroup.VerifyEvery),
	}
	objects := metric.New(func(ctx context.Context) (metric.Objects, error) { return metric.Read(ctx, mgr.GetCache(), verified) })
	if err := metrics.Registry.Register(objects); err != nil {
		return nil, fmt.Errorf("register the metrics: %w", err)
	}
	if err := mgr.Add(collector{}); err != nil {
		return nil, fmt.Errorf("add the collector of garbage: %w", err)
	}
	if err := addControllers(mgr, connector, verified, o, log); err != nil {
		return nil, err
	}
	if err := errors.Join(mgr.AddHealthzCheck("ping", healthz.Ping), mgr.AddReadyzCheck("ping", healthz.Ping)); err != nil {
		return nil, fmt.Errorf("add the health endpoints: %w", err)
	}
	return mgr, nil
}

func managerOptions(o Options, scheme *runtime.Scheme) ctrl.Options {
	label := labels.SelectorFromSet(labels.Set{"app.kubernetes.io/managed-by": "orderflow"})
	ours := cache.ByObject{Label: label}
	namespaces := map[string]cache.Config{}
	for _, namespace := range o.Watch {
		namespaces[namespace] = cache.Config{}
	}
	return ctrl.Options{
		Scheme: scheme,
		// An operator that is not the leader has its queues filled already.
		Controller:     ctrlconfig.Controller{EnableWarmup: new(true)},
		MapperProvider: func(*rest.Config, *http.Client) (meta.RESTMapper, error) { return mapper(scheme) },
		Cache: cache.Options{
			DefaultNamespaces: namespaces,
			DefaultTransform:  newSlimmer().slim,
			// Of the kinds that are not OrderFlow's only its own objects are watched and held in memory.
			ByObject: map[client.Object]cache.ByObject{
				&appsv1.Deployment{}: ours, &corev1.Pod{}: ours, &corev1.ConfigMap{}: ours, &corev1.Service{}: ours, &corev1.ServiceAccount{}: ours,
				&policyv1.PodDisruptionBudget{}: ours, &networkingv1.NetworkPolicy{}: ours,
			},
		},
		// Secrets are read by name only, and never held.
		Client:                        client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
		LeaderElection:                o.LeaderElection,
		LeaderElectionID:              "manager.orderflow.dev",
		LeaderElectionNamespace:       o.Namespace,
		LeaderElectionReleaseOnCancel: true, // the process ends with the manager
		HealthProbeBindAddress:        o.HealthAddress,
		Metrics: metricsserver.Options{
			BindAddress: o.MetricsAddress, SecureServing: true, FilterProvider: filters.WithAuthenticationAndAuthorization,
		},
	}
}

// addControllers wires the five kinds together.
func addControllers(mgr ctrl.Manager, connector *topology.Connector, verified metric.Verified, o Options, log *slog.Logger) error {
	applier := apply.New(mgr.GetClient(), mgr.GetAPIReader()).Patient()
	sampler := lag.NewSampler(connector, log.With("component", "lag"))
	syncer := workersync.New(workersync.Config{
		Pods: func(ctx context.Context, group types.NamespacedName) ([]corev1.Pod, error) {
			return mqconsumergroup.Pods(ctx, mgr.GetClient(), group)
		},
		Logger: log.With("component", "sync"),
		Dial:   o.DialPod,
	})
	turned := make(chan event.TypedGenericEvent[*v1alpha1.MQCluster])
	pulse := mqconsumergroup.NewPulse(mqconsumergroup.Pulse{
		Sampler: sampler, Syncer: syncer, Turned: turned, Now: time.Now,
	})
	clusters := &mqcluster.Reconciler{
		Client: mgr.GetClient(), Applier: applier, Connector: connector, Verified: verified["MQCluster"], Recorder: mgr.GetEventRecorder("orderflow"), Now: time.Now,
	}
	adapters := &thirdpartyadapter.Reconciler{
		Client: mgr.GetClient(), Secrets: mgr.GetAPIReader(), Applier: applier, Reports: syncer.Reports, Heard: syncer.Heard,
		Recorder: mgr.GetEventRecorder("orderflow"), Now: time.Now,
	}
	flows := &orderflow.Reconciler{
		Client: mgr.GetClient(), Applier: applier, Connector: connector, Verified: verified["OrderFlow"], Recorder: mgr.GetEventRecorder("orderflow"), Now: time.Now,
	}
	groups := &mqconsumergroup.Reconciler{
		Client: mgr.GetClient(), Secrets: mgr.GetAPIReader(), Applier: applier, Connector: connector, Sampler: sampler, Syncer: syncer,
		Verified: verified["MQConsumerGroup"], SecretsRead: verification.New(mqconsumergroup.SecretEvery), Verdicts: lru.New(mqconsumergroup.MaxVerdicts),
		Recorder: mgr.GetEventRecorder("orderflow"), Now: time.Now,
		Options: mqconsumergroup.Options{
			WorkerImage: o.WorkerImage, OperatorNamespace: o.Namespace, PrivateNetworks: o.PrivateNetworks,
			Tracing: o.Tracing,
		},
	}
	replays := &deadletterreplay.Reconciler{
		Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Applier: applier, Connector: connector, Heard: syncer.Heard, Recorder: mgr.GetEventRecorder("orderflow"), Now: time.Now,
	}
	err := errors.Join(
		mgr.Add(syncer), // first, so that controllers find it begun
		replays.SetupWithManager(mgr), clusters.SetupWithManager(mgr, turned), adapters.SetupWithManager(mgr), flows.SetupWithManager(mgr), groups.SetupWithManager(mgr, pulse),
		mgr.Add(pulse),
	)
	if err != nil {
		return fmt.Errorf("add the controllers: %w", err)
	}
	return nil
}
