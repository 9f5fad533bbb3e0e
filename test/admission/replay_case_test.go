// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

var replayCases = []admissionCase{{
	sentence: "a replay of something else than it began with",
	kind:     "DeadLetterReplay",
	was:      fields{"spec.filter": `{reasons: [RetriesExhausted]}`},
	refused:  fields{"spec.filter": `{reasons: [RequestRefused]}`},
	message:  "a replay cannot change what it replays: only rate and suspend can; create another DeadLetterReplay",
	accepted: fields{"spec.filter": `{reasons: [RetriesExhausted]}`, "spec.rate": "50", "spec.suspend": "true"},
}, {
	sentence: "a replay that repeats what it began to skip",
	kind:     "DeadLetterReplay",
	was:      fields{"spec.alreadyReplayed": "Skip"},
	refused:  fields{"spec.alreadyReplayed": "Repeat"},
	message:  "a replay cannot change what it replays: only rate and suspend can; create another DeadLetterReplay",
	accepted: fields{"spec.alreadyReplayed": "Skip", "spec.rate": "50"},
}, {
	sentence: "a window that ends before it begins",
	kind:     "DeadLetterReplay",
	refused:  fields{"spec.window": `{from: "2026-11-23T12:00:00Z", to: "2026-11-23T08:00:00Z"}`},
	message:  "window.from lies before window.to",
	accepted: fields{"spec.window": `{from: "2026-11-23T08:00:00Z", to: "2026-11-23T12:00:00Z"}`},
}, {
	sentence: "a replay whose name is no label",
	kind:     "DeadLetterReplay",
	refused:  fields{"metadata.name": "a-name-of-sixty-four-characters-which-is-one-more-than-a-label-has"},
	message:  "the name of a DeadLetterReplay has at most 63 characters: it is the label of what it keeps",
	accepted: fields{"metadata.name": "a-name-that-a-label-can-have"},
}}
