// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package deadletterreplay

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

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
	// skippedReplayed: an earlier replay gave the message back after this letter of it was stored.
	skippedReplayed = "AlreadyReplayed"
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
	// id is the message's, over all its dead letters, as recorded makes it.
	id      string
	outcome string
	// unseen is where in the retry topic it may be, by queue, while it is not known whether it was sent.
	unseen []span
	// noted is when it was written down last that it is about to be sent, in milliseconds since 1970.
	noted int64
}

// longestID is the longest id that is recorded as it is.
const longestID = 128

// recorded is a message's id as a line of the record can hold it. What producers set may be of any length, and any bytes: such an id is recorded as its
// beginning and its hash, so that two never look alike.
func recorded(id string) string {
	odd := func(c rune) bool { return c == utf8.RuneError || !unicode.IsGraphic(c) || unicode.IsSpace(c) }
	if len(id) <= longestID && !strings.ContainsFunc(id, odd) {
		return id
	}
	start := strings.Map(func(c rune) rune {
		if odd(c) {
			return '_'
		}
		return c
	}, id[:min(len(id), longestID/4)])
	return fmt.Sprintf("%s~%x", start, sha256.Sum256([]byte(id)))
}

// chunk is how many entries are in one ConfigMap: it is written anew for each batch.
const chunk = 500

// record are the outcomes so far, in the order in which they were found.
type record struct {
	entries []entry
	// places by letter, and whether a message was taken, by id.
	places map[string]int
	taken  map[string]bool
	// versions of the chunks there are, as they were read or written last.
	versions map[int]string
}

func newRecord() *record {
	return &record{places: map[string]int{}, taken: map[string]bool{}, versions: map[int]string{}}
}

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

// encode writes entries from a chunk as lines: letter, id, outcome, unseen, noted.
func (r *record) encode(n int) string {
	var b strings.Builder
	for _, e := range r.entries[n*chunk : min((n+1)*chunk, len(r.entries))] {
		fmt.Fprintf(&b, "%s\t%s\t%s\t%s\t%d\n", e.letter, e.id, e.outcome, encodeSpans(e.unseen), e.noted)
	}
	return b.String()
}

func (r *record) decode(lines string) error {
	for line := range strings.Lines(lines) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(fields) != 5 {
			return fmt.Errorf("the line %q is none of ours", line)
		}
		unseen, err := decodeSpans(fields[3])
		noted, errNoted := strconv.ParseInt(fields[4], 10, 64)
		if err := errors.Join(err, errNoted); err != nil {
			return fmt.Errorf("the line %q is none of ours: %w", line, err)
		}
		r.add(entry{letter: fields[0], id: fields[1], outcome: fields[2], unseen: unseen, noted: noted})
	}
	return nil
}

// labelReplay names the replay a ConfigMap is the record of.
const labelReplay = "orderflow.dev/replay"

const outcomesKey = "outcomes"

func recordName(replay *v1alpha1.DeadLetterReplay, n int) string {
	return fmt.Sprintf("%s-outcomes-%d", replay.Name, n)
}

// readRecord reads the record of a replay. lost says what is missing of it, or is not ours: it is not nil, and there is no record, where the outcome of a letter
// is not known any more.
func (r *Reconciler) readRecord(ctx context.Context, replay *v1alpha1.DeadLetterReplay) (read *record, lost, err error) {
	var list corev1.ConfigMapList
	if err := r.Live.List(ctx, &list, client.InNamespace(replay.Namespace), client.MatchingLabels{labelReplay: replay.Name}); err != nil {
		return nil, nil, fmt.Errorf("read the record: %w", err)
	}
	chunks := map[string]*corev1.ConfigMap{}
	for i := range list.Items {
		if metav1.IsControlledBy(&list.Items[i], replay) {
			chunks[list.Items[i].Name] = &list.Items[i]
		}
	}
	read = newRecord()
	matched := 0 // what the status counts was written before it
	if replay.Status.Matched != nil {
		matched = int(*replay.Status.Matched)
	}
	needed := max(len(chunks), (matched+chunk-1)/chunk)
	for n := range needed {
		name := recordName(replay, n)
		config, there := chunks[name]
		if !there {
			return nil, fmt.Errorf("ConfigMap %s is gone", name), nil
		}
		read.versions[n] = config.ResourceVersion
		if err := read.decode(config.Data[outcomesKey]); err != nil {
			return nil, fmt.Errorf("ConfigMap %s was changed: %w", name, err), nil
		}
		if last := n+1 == needed; !last && len(read.entries) != (n+1)*chunk || last && len(read.entries) < matched {
			return nil, fmt.Errorf("ConfigMap %s was changed: lines are missing", name), nil
		}
	}
	return read, nil, nil
}

// writeRecord writes the chunks that have entries at these places. A manager that was frozen, while another one went on, has a conflict: it would undo what that one
// noted, and send it again.
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
		if err := r.Applier.ApplyOver(ctx, replay, config, rec.versions[n]); err != nil {
			return fmt.Errorf("write the record: %w", err)
		}
		rec.versions[n] = config.ResourceVersion
	}
	return nil
}
