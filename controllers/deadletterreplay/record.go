// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package deadletterreplay

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/orderflow-dev/orderflow/api/v1alpha1"
	"github.com/orderflow-dev/orderflow/api/worker"
)

// The outcomes of a dead letter that is selected; any other is the reason for which it was skipped.
const (
	outcomeResent    = "Resent"
	outcomeResending = "Resending" // noted before it is sent
)

// The reasons for which a dead letter is skipped.
const (
	// skippedDuplicate: another dead letter of the same message was taken.
	skippedDuplicate = "Duplicate"
	// skippedWindowPassed: a third party does not remember its key any more.
	skippedWindowPassed = "IdempotencyWindowPassed"
	// skippedFateUnknown: whether it had its effect is not known, and a third party that would repeat it ignores keys.
	skippedFateUnknown = worker.ReasonFateUnknown
	// skippedUnreadable: it cannot be decoded.
	skippedUnreadable = "Unreadable"
	// skippedTooLarge: the broker does not take it.
	skippedTooLarge = "TooLarge"
	// skippedDryRun: it would have been given back.
	skippedDryRun = "DryRun"
)

// entry is what became of one dead letter.
type entry struct {
	// letter is where it lies: broker/queue/offset.
	letter string
	// id is the message's, over all its dead letters.
	id      string
	outcome string
	// since is the retry topic's end when it was about to be sent.
	since int64
	// noted is when that was written down, in milliseconds since 1970.
	noted int64
}

// chunk is how many entries are in one ConfigMap: it is written anew for each batch.
const chunk = 500

// record are the outcomes so far, in the order in which they were found.
type record struct {
	entries []entry
	// places by letter, and whether a message was taken, by id.
	places map[string]int
	taken  map[string]bool
}

func newRecord() *record { return &record{places: map[string]int{}, taken: map[string]bool{}} }

func (r *record) add(e entry) {
	r.places[e.letter] = len(r.entries)
	r.entries = append(r.entries, e)
	if e.outcome == outcomeResending || e.outcome == outcomeResent || e.outcome == skippedDryRun {
		r.taken[e.id] = true
	}
}

// counts are how many entries have each outcome.
func (r *record) counts() map[string]int64 {
	counts := map[string]int64{}
	for _, e := range r.entries {
		counts[e.outcome]++
	}
	return counts
}

// encode writes entries from a chunk as lines: letter, id, outcome, since, noted.
func (r *record) encode(n int) string {
	var b strings.Builder
	for _, e := range r.entries[n*chunk : min((n+1)*chunk, len(r.entries))] {
		fmt.Fprintf(&b, "%s\t%s\t%s\t%d\t%d\n", e.letter, e.id, e.outcome, e.since, e.noted)
	}
	return b.String()
}

func (r *record) decode(lines string) error {
	for scanner := bufio.NewScanner(strings.NewReader(lines)); scanner.Scan(); {
		fields := strings.Split(scanner.Text(), "\t")
		if len(fields) != 5 {
			return fmt.Errorf("the line %q of the record is none of ours", scanner.Text())
		}
		since, err := strconv.ParseInt(fields[3], 10, 64)
		noted, errNoted := strconv.ParseInt(fields[4], 10, 64)
		if err := errors.Join(err, errNoted); err != nil {
			return fmt.Errorf("the line %q of the record is none of ours: %w", scanner.Text(), err)
		}
		r.add(entry{letter: fields[0], id: fields[1], outcome: fields[2], since: since, noted: noted})
	}
	return nil
}

// labelReplay names the replay a ConfigMap is the record of.
const labelReplay = "orderflow.dev/replay"

const outcomesKey = "outcomes"

func recordName(replay *v1alpha1.DeadLetterReplay, n int) string {
	return fmt.Sprintf("%s-outcomes-%d", replay.Name, n)
}

// readRecord reads the record of a replay.
func (r *Reconciler) readRecord(ctx context.Context, replay *v1alpha1.DeadLetterReplay) (*record, error) {
	var list corev1.ConfigMapList
	if err := r.Live.List(ctx, &list, client.InNamespace(replay.Namespace), client.MatchingLabels{labelReplay: replay.Name}); err != nil {
		return nil, fmt.Errorf("read the record: %w", err)
	}
	chunks := map[string]string{}
	for i := range list.Items {
		if metav1.IsControlledBy(&list.Items[i], replay) {
			chunks[list.Items[i].Name] = list.Items[i].Data[outcomesKey]
		}
	}
	read := newRecord()
	for n := range len(chunks) {
		if err := read.decode(chunks[recordName(replay, n)]); err != nil {
			return nil, err
		}
	}
	return read, nil
}

// writeRecord writes the chunks that have entries at these places.
func (r *Reconciler) writeRecord(ctx context.Context, replay *v1alpha1.DeadLetterReplay, rec *record, places []int) error {
	chunks := map[int]bool{}
	for _, place := range places {
		chunks[place/chunk] = true
	}
	for _, n := range slices.Sorted(maps.Keys(chunks)) {
		config := &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: replay.Namespace, Name: recordName(replay, n),
				Labels: map[string]string{"app.kubernetes.io/managed-by": "orderflow", labelReplay: replay.Name},
			},
			Data: map[string]string{outcomesKey: rec.encode(n)},
		}
		if err := r.Applier.Apply(ctx, replay, config); err != nil {
			return fmt.Errorf("write the record: %w", err)
		}
	}
	return nil
}
