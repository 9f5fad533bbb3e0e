// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package deadletterreplay

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// span are the offsets [from, to) of a queue of the retry topic in which a message may be that was about to be sent.
type span struct{ from, to int64 }

// open is the end of a span before the time is over in which the message can come.
const open = -1

// spansFrom are those of what is to come into the queues.
func spansFrom(queues []rocketmq.QueueStats) []span {
	var spans []span
	for _, q := range queues {
		spans = append(spans, span{from: q.Max, to: open})
	}
	return spans
}

// closed are the spans, none of which is open any more: the time is over, and what the queues hold now is all there is to be searched.
func closed(spans []span, queues []rocketmq.QueueStats) []span {
	var all []span
	for id, q := range queues {
		s := span{from: q.Min, to: open} // a queue that was made since
		if id < len(spans) {
			s = spans[id]
		}
		if s.to == open {
			s.to = q.Max
		}
		s.from = max(s.from, q.Min)
		all = append(all, s)
	}
	return all
}

// encodeSpans writes 7-9,4 for offsets from 7 to 8 of the first queue, and all from 4 on of the second.
func encodeSpans(spans []span) string {
	var texts []string
	for _, s := range spans {
		text := strconv.FormatInt(s.from, 10)
		if s.to != open {
			text += "-" + strconv.FormatInt(s.to, 10)
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ",")
}

func decodeSpans(text string) ([]span, error) {
	if text == "" {
		return nil, nil
	}
	var spans []span
	for part := range strings.SplitSeq(text, ",") {
		from, to, bounded := strings.Cut(part, "-")
		s := span{to: open}
		var err error
		if s.from, err = strconv.ParseInt(from, 10, 64); err == nil && bounded {
			s.to, err = strconv.ParseInt(to, 10, 64)
		}
		if err != nil {
			return nil, fmt.Errorf("%q are no offsets: %w", text, err)
		}
		spans = append(spans, s)
	}
	return spans, nil
}
