// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package mqconsumergroup

import (
	"maps"
	"path"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
	"github.com/orderflow-dev/orderflow/controllers/contract"
)

const (
	containerName = "worker"
	// defaultGrace is the default of workload.terminationGracePeriod, for groups without a workload.
	defaultGrace = 30 * time.Second
	// leaveTime is what a pod needs beyond its calls in flight: commit, unlock, unregister.
	leaveTime = 10 * time.Second
)

func terminationGrace(w *v1alpha1.Workload) time.Duration {
	if w == nil || w.TerminationGracePeriod.Duration == 0 {
		return defaultGrace
	}
	return w.TerminationGracePeriod.Duration
}

// deployment of the group's pods, that run from the ConfigMap structureName.
//
// A rollout takes pods away before it adds new ones: an account's limits are divided by the pods there are to be, and one more would
// exceed them; meanwhile messages wait in the broker.
func deployment(in *inputs, structureName string, replicas int32) *appsv1.Deployment {
	d := &appsv1.Deployment{
		ObjectMeta: objectMeta(in.group, in.group.Name),
		Spec: appsv1.DeploymentSpec{
			Replicas:             &replicas,
			Selector:             &metav1.LabelSelector{MatchLabels: selector(in.group)},
			RevisionHistoryLimit: new(int32(0)), // the structure a revision before ran from is removed: kubectl rollout undo could not start a pod
			Strategy: appsv1.DeploymentStrategy{
				Type: appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{
					MaxSurge:       new(intstr.FromInt32(0)),
					MaxUnavailable: new(intstr.FromString("25%")), // 0 pods of 3 or fewer: Kubernetes then takes 1
				},
			},
			Template: corev1.PodTemplateSpec{Spec: podSpec(in, structureName)},
		},
	}
	d.Spec.Template.Labels = labels(in.group)
	if w := in.group.Spec.Workload; w != nil {
		d.Spec.Template.Annotations = w.PodAnnotations
		set := maps.Clone(w.PodLabels)
		if set == nil {
			set = map[string]string{}
		}
		maps.Copy(set, labels(in.group))
		d.Spec.Template.Labels = set
	}
	d.Spec.Template.Spec.Containers[0].Image, d.Annotations = pinnedImage(in, &d.Spec.Template)
	return d
}

// pinnedImage is the image of pods of this template, which has none yet. Where the user names none it is the operator's, taken over when the pods are replaced
// anyway, since their structure or something else of the template changed: an upgrade of the operator restarts no pod by itself, and what it does restart is of
// its own image. The annotations remember which it was, and of which template.
func pinnedImage(in *inputs, template *corev1.PodTemplateSpec) (image string, annotations map[string]string) {
	if w := in.group.Spec.Workload; w != nil && w.Image != "" {
		return w.Image, nil
	}
	image = in.workerImage
	hash, _, _ := digest(template) // a template can always be written
	if d := in.deployment; d != nil && d.Annotations[annotationTemplate] == hash {
		if pinned := d.Annotations[annotationDefaultImage]; pinned != "" {
			image = pinned
		}
	}
	return image, map[string]string{annotationDefaultImage: image, annotationTemplate: hash}
}

// Slim leaves of a Deployment what a group reads of one that it has made: the number of pods, and the structure they run from.
func Slim(d *appsv1.Deployment) {
	kept := appsv1.DeploymentSpec{Replicas: d.Spec.Replicas}
	for _, v := range d.Spec.Template.Spec.Volumes {
		if v.Name == structureVolume {
			kept.Template.Spec.Volumes = []corev1.Volume{v}
		}
	}
	d.Spec = kept
}

// structureOf names the ConfigMap a Deployment's pods run from. Empty: none.
func structureOf(d *appsv1.Deployment) string {
	for _, v := range d.Spec.Template.Spec.Volumes {
		if v.Name == structureVolume && v.ConfigMap != nil {
			return v.ConfigMap.Name
		}
	}
	return ""
}

func podSpec(in *inputs, structureName string) corev1.PodSpec {
	volumes, mounts := podVolumes(in, structureName)
	spec := corev1.PodSpec{
		ServiceAccountName:            in.group.Name,
		AutomountServiceAccountToken:  new(false),
		EnableServiceLinks:            new(false),
		TerminationGracePeriodSeconds: new(int64((terminationGrace(in.group.Spec.Workload) + leaveTime).Seconds())),
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot:   new(true),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		TopologySpreadConstraints: []corev1.TopologySpreadConstraint{{
			MaxSkew: 1, TopologyKey: corev1.LabelHostname, WhenUnsatisfiable: corev1.ScheduleAnyway,
			LabelSelector: &metav1.LabelSelector{MatchLabels: selector(in.group)},
		}},
		Containers: []corev1.Container{workerContainer(environment(in), resources(in.group.Spec.Workload), mounts)},
		Volumes:    volumes,
	}
	if w := in.group.Spec.Workload; w != nil {
		spec.NodeSelector, spec.Tolerations, spec.PriorityClassName = w.NodeSelector, w.Tolerations, w.PriorityClassName
		for _, ref := range w.ImagePullSecrets {
			spec.ImagePullSecrets = append(spec.ImagePullSecrets, corev1.LocalObjectReference{Name: ref.Name})
		}
	}
	return spec
}

func workerContainer(env []corev1.EnvVar, r corev1.ResourceRequirements, mounts []corev1.VolumeMount) corev1.Container {
	return corev1.Container{
		Name: containerName,
		Env:  env,
		Ports: []corev1.ContainerPort{
			{Name: "sync", ContainerPort: worker.SyncPort, Protocol: corev1.ProtocolTCP},
			{Name: "health", ContainerPort: worker.HealthPort, Protocol: corev1.ProtocolTCP},
		},
		Resources:                r,
		VolumeMounts:             mounts,
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError, // WorkloadReady shows it
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: new(false),
			ReadOnlyRootFilesystem:   new(true),
			Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
		StartupProbe:   probe("/healthz", 1, 60),
		LivenessProbe:  probe("/healthz", 10, 3),
		ReadinessProbe: probe("/readyz", 2, 2),
	}
}

// probe asks the path every period seconds and gives up after failures in a row.
func probe(path string, period, failures int32) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromInt32(worker.HealthPort)}},
		PeriodSeconds: period, TimeoutSeconds: 2, FailureThreshold: failures,
	}
}

func resources(w *v1alpha1.Workload) corev1.ResourceRequirements {
	if w != nil && w.Resources != nil {
		return *w.Resources
	}
	return corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("50m"), corev1.ResourceMemory: resource.MustParse("64Mi")},
		Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("256Mi")},
	}
}

const structureVolume = "structure"

// podVolumes are the files of api/worker, each folder a volume of its own.
func podVolumes(in *inputs, structureName string) ([]corev1.Volume, []corev1.VolumeMount) {
	var volumes []corev1.Volume
	var mounts []corev1.VolumeMount
	mount := func(name, folder string, source corev1.VolumeSource) {
		volumes = append(volumes, corev1.Volume{Name: name, VolumeSource: source})
		mounts = append(mounts, corev1.VolumeMount{Name: name, MountPath: folder, ReadOnly: true})
	}
	config := func(name string) corev1.VolumeSource {
		return corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: name}}}
	}
	secret := func(name string) corev1.VolumeSource {
		return corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: name}}
	}
	mount(structureVolume, path.Dir(worker.StructureFile), config(structureName))
	mount("live", path.Dir(worker.LiveFile), config(liveName(in.group)))
	mount("sync", worker.SyncDir, secret(syncSecretName(in.group)))
	if acl := in.cluster.Spec.ACL; acl != nil {
		mount("broker", worker.BrokerDir, secret(acl.SecretRef.Name))
	}
	if tls := in.cluster.Spec.TLS; tls != nil && tls.CASecretRef != nil {
		authorities := secret(tls.CASecretRef.Name)
		authorities.Secret.Items, authorities.Secret.Optional = []corev1.KeyToPath{{Key: worker.CAKey, Path: worker.CAKey}}, new(true)
		mount("broker-tls", worker.BrokerTLSDir, authorities)
	}
	for _, name := range in.group.Spec.Handler.Adapters() {
		if source := adapterFiles(in.adapters[name]); source.Projected != nil {
			mount(adapterVolume(name), path.Join(worker.AdaptersDir, name), source)
		}
	}
	// In memory, where writing it back to a disk holds nobody up. It outlives the container, not the pod.
	mount("journal", path.Dir(worker.JournalFile), corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{
		Medium: corev1.StorageMediumMemory, SizeLimit: new(resource.MustParse("1Mi")),
	}})
	mounts[len(mounts)-1].ReadOnly = false
	return volumes, mounts
}

// adapterFiles are the keys an adapter needs of its Secrets, in one folder, so that they change together. A key that goes missing is no reason to keep a pod from
// starting, nor the kubelet from telling what has changed: the worker says what it misses, and goes on with what it had.
func adapterFiles(adapter *v1alpha1.ThirdPartyAdapter) (source corev1.VolumeSource) {
	var sources []corev1.VolumeProjection
	for _, s := range contract.Secrets(&adapter.Spec) {
		projected := &corev1.SecretProjection{LocalObjectReference: corev1.LocalObjectReference{Name: s.Name}, Optional: new(true)}
		for _, key := range slices.Concat(s.Keys, s.Optional) {
			projected.Items = append(projected.Items, corev1.KeyToPath{Key: key, Path: key})
		}
		sources = append(sources, corev1.VolumeProjection{Secret: projected})
	}
	if len(sources) > 0 {
		source.Projected = &corev1.ProjectedVolumeSource{Sources: sources}
	}
	return source
}

// adapterVolume names an adapter's volume; a volume's name has at most 63 characters, an adapter's may have as many.
func adapterVolume(name string) string {
	const prefix, limit = "adapter-", 63
	if len(prefix)+len(name) <= limit {
		return prefix + name
	}
	hash, _, _ := digest(name) // a string can always be written
	return prefix + hash
}
