// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package security

import (
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/test/installation"
)

// TestWhatIsInstalled starts one API server for all that needs one.
func TestWhatIsInstalled(t *testing.T) {
	i := installation.Start(t, "default")
	awaitPolicies(t, i)
	t.Run("people may do what their roles say", func(t *testing.T) { testPeople(t, i) })
	t.Run("a Secret is named by who may read it", func(t *testing.T) { testSecrets(t, i) })
	t.Run("an image is chosen by who may run any", func(t *testing.T) { testImages(t, i) })
	t.Run("the operator's pod is admitted as restricted", func(t *testing.T) { testOperatorPod(t, i) })
	t.Run("the operator's pod has a network policy", testOperatorNetwork)
}

// awaitPolicies waits until the API server, which looks for policies now and then, has taken both up.
func awaitPolicies(t *testing.T, i *installation.Installation) {
	t.Helper()
	i.Namespace(t, "probe")
	nobody := i.Client(t, "probe", "probe", writeAll)
	for _, object := range []client.Object{adapter("probe", "basic", "unread"), group("probe", imageOf("evil"))} {
		installation.Within(t, time.Minute, "a policy refuses", func() bool {
			err := nobody.Create(t.Context(), object.DeepCopyObject().(client.Object), client.DryRunAll)
			return apierrors.IsForbidden(err)
		})
	}
}
