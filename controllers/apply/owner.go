// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package apply

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// cacheLag is about how long a cache may be behind what was written.
const cacheLag = 200 * time.Millisecond

const (
	// maxWritten is how many of them are known: a cache is behind for a moment, and at most for those that are looked at in it.
	maxWritten = 10000
	// maxUntold is for how long what waits to be written is known: longer than anything may wait, as the write may fail.
	maxUntold = 2 * time.Minute
	// maxBehind is for how long a cache is waited for: after that its watch hangs, or the API server was set back, and whoever decides on what is old is refused.
	maxBehind = 30 * time.Second
)

// write is one.
type write struct {
	version string
	at      time.Time
}

// Finalizer makes the object have the finalizer, or not have it.
func (a *Applier) Finalizer(ctx context.Context, object client.Object, name string, wanted bool) error {
	if controllerutil.ContainsFinalizer(object, name) == wanted {
		return nil
	}
	before := object.DeepCopyObject().(client.Object) //nolint:forcetypeassert // a copy has its original's type
	if wanted {
		controllerutil.AddFinalizer(object, name)
	} else {
		controllerutil.RemoveFinalizer(object, name)
	}
	// A merge patch replaces the whole list, so it must be of the list that was read.
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := a.note(object, a.client.Patch(ctx, object, patch, FieldOwner)); err != nil {
		return fmt.Errorf("set the finalizer of %s: %w", object.GetName(), err)
	}
	return nil
}

// note remembers what a write, which ended with err, has made of an owner. That the owner has gone meanwhile is no error.
func (a *Applier) note(owner client.Object, err error) error {
	if err == nil {
		a.written.Add(owner.GetUID(), write{owner.GetResourceVersion(), time.Now()})
	}
	return client.IgnoreNotFound(err)
}

// Again answers the queue where a write failed. That the object has changed since it was read is no error: it is looked at anew, when the
// cache has it. Nor is it one that the operator stops.
func Again(err error) (reconcile.Result, error) {
	if apierrors.IsConflict(err) || errors.Is(err, context.Canceled) {
		return reconcile.Result{RequeueAfter: cacheLag}, nil
	}
	return reconcile.Result{}, err
}

// Status writes the status of after, if it differs from that of before; both are the same object. A conflict says that before is not what
// the object is now, so that what was decided on it may be wrong: see Again. It is not an error if the object has gone meanwhile.
func (a *Applier) Status(ctx context.Context, before, after client.Object) error {
	_, err := a.StatusWithin(ctx, before, after, 0)
	return err
}

// putStatus writes a status as a whole: it is one field of one manager, by the CRDs, and both ends make a patch of it at more cost.
func (a *Applier) putStatus(ctx context.Context, owner client.Object) error {
	small := statusOf(owner)
	err := a.client.Status().Update(ctx, small, FieldOwner)
	owner.SetResourceVersion(small.GetResourceVersion())
	if err := a.note(owner, err); err != nil {
		return fmt.Errorf("write the status of %s: %w", owner.GetName(), err)
	}
	a.untold.Delete(owner.GetUID())
	return nil
}

// statusOf is an owner with what a write of its status needs.
func statusOf(owner client.Object) client.Object {
	small := blank(owner)
	setStatus(small, owner)
	small.SetNamespace(owner.GetNamespace())
	small.SetName(owner.GetName())
	small.SetUID(owner.GetUID())
	small.SetResourceVersion(owner.GetResourceVersion())
	return small
}

// status is that of an object, and invalid where its kind has none.
func status(of client.Object) reflect.Value {
	return reflect.ValueOf(of).Elem().FieldByName("Status")
}

func setStatus(to, from client.Object) { status(to).Set(status(from)) }

// untold is the status that an owner is to have, in an object like it.
type untold struct {
	since time.Time
	owner client.Object
}

// StatusWithin is Status, which may wait for as long as pause since there was anything to write: what is found out meanwhile is written with it. left is for how long it waits yet; 0: it is
// written. What must be written before something else is done may not wait: what waits is lost with the process, to be found out again.
func (a *Applier) StatusWithin(ctx context.Context, before, after client.Object, pause time.Duration) (left time.Duration, err error) {
	if equality.Semantic.DeepEqual(status(before).Interface(), status(after).Interface()) {
		a.untold.Delete(after.GetUID())
		return 0, nil
	}
	if a.patient && pause > 0 {
		since := time.Now()
		if known, is := a.untold.Get(after.GetUID()); is {
			since = known.(untold).since //nolint:forcetypeassert // nothing else is added
		}
		if left := pause - time.Since(since); left > 0 {
			waiting := statusOf(after).DeepCopyObject().(client.Object) //nolint:forcetypeassert // a copy has its original's type
			a.untold.Set(after.GetUID(), untold{since, waiting}, maxUntold)
			return left, nil
		}
	}
	return 0, a.putStatus(ctx, after)
}

// Recall gives an owner the status that waits to be written, so that it is gone on from, unless the owner has changed since.
func (a *Applier) Recall(owner client.Object) {
	known, is := a.untold.Get(owner.GetUID())
	if !is {
		return
	}
	if waiting := known.(untold).owner; waiting.GetResourceVersion() == owner.GetResourceVersion() { //nolint:forcetypeassert // nothing else is added
		setStatus(owner, waiting.DeepCopyObject().(client.Object)) //nolint:forcetypeassert // as above
	}
}

// Behind reports whether an owner as the cache has it is older than its last write: what is decided on it could not be written down. It is to be looked at anew when the
// cache has more, which the result says.
func (a *Applier) Behind(owner client.Object) (is bool, again reconcile.Result) {
	known, is := a.written.Get(owner.GetUID())
	if !is {
		return false, reconcile.Result{}
	}
	last := known.(write) //nolint:forcetypeassert // nothing else is added
	order, err := resourceversion.CompareResourceVersion(owner.GetResourceVersion(), last.version)
	if err != nil || order >= 0 || time.Since(last.at) > maxBehind {
		a.written.Remove(owner.GetUID())
		return false, reconcile.Result{}
	}
	return true, reconcile.Result{RequeueAfter: cacheLag / 2}
}
