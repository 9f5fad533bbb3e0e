// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

var adapterCases = []admissionCase{{
	sentence: "a URL that is none",
	kind:     "ThirdPartyAdapter",
	refused:  fields{"spec.url": "sms.example.com"},
	message:  "url is an absolute http or https URL, for example https://api.example.com/sms",
	accepted: fields{"spec.url": "https://sms.example.com"},
}, {
	sentence: "a password in the URL",
	kind:     "ThirdPartyAdapter",
	refused:  fields{"spec.url": "https://user:password@sms.example.com"},
	message:  "url has no user, query or fragment: credentials belong in spec.auth",
	accepted: fields{"spec.url": "https://sms.example.com/v1"},
}, {
	sentence: "a URL to the loopback address",
	kind:     "ThirdPartyAdapter",
	refused:  fields{"spec.url": "http://127.0.0.1:8080"},
	message:  notThirdParty,
	accepted: fields{"spec.url": "http://203.0.113.7:8080"},
}, {
	sentence: "suspend of an adapter, which comes later",
	kind:     "ThirdPartyAdapter",
	refused:  fields{"spec.suspend": "true"},
	message:  "suspend is not available in this version: scale the groups that use the adapter to 0; messages wait in the broker",
	accepted: fields{"spec.suspend": "-"},
}, {
	sentence: "a quota, which comes later",
	kind:     "ThirdPartyAdapter",
	refused:  fields{"spec.quota": `{requests: 100, period: 24h}`},
	message:  "quota is not available in this version: use rateLimit",
	accepted: fields{"spec.rateLimit": `{requests: 100, period: 1h}`},
}, {
	sentence: "a quota over less than a rate limit's period",
	kind:     "ThirdPartyAdapter",
	refused:  fields{"spec.quota": `{requests: 100, period: 1m}`},
	message:  "quota.period lies between 1h and 744h",
	accepted: fields{"spec.rateLimit": `{requests: 100, period: 1m}`},
}, {
	sentence: "TLS settings of an adapter, which come later",
	kind:     "ThirdPartyAdapter",
	refused:  fields{"spec.tls": `{serverName: sms}`},
	message:  "tls is not available in this version: https URLs are verified against the public roots",
	accepted: fields{"spec.tls": "-"},
}, {
	sentence: "a timeout that no caller would wait for",
	kind:     "ThirdPartyAdapter",
	refused:  fields{"spec.timeout": "5m"},
	message:  "timeout lies between 10ms and 60s",
	accepted: fields{"spec.timeout": "60s"},
}, {
	sentence: "a duration that is no duration",
	kind:     "ThirdPartyAdapter",
	refused:  fields{"spec.timeout": `"1 day"`},
	message:  "timeout lies between 10ms and 60s",
	accepted: fields{"spec.timeout": "1m"},
}, {
	sentence: "a repetition that waits longer than the broker would",
	kind:     "ThirdPartyAdapter",
	refused:  fields{"spec.retry": `{initialDelay: 30s}`},
	message:  "retry.initialDelay lies between 1ms and 5s: longer waits are the group's retry, in the broker",
	accepted: fields{"spec.retry": `{initialDelay: 5s}`},
}, {
	sentence: "a circuit breaker that judges no time at all",
	kind:     "ThirdPartyAdapter",
	refused:  fields{"spec.circuitBreaker": `{window: 10ms}`},
	message:  "circuitBreaker.window lies between 1s and 5m",
	accepted: fields{"spec.circuitBreaker": `{window: 10s}`},
}, {
	sentence: "a circuit that stays open for an hour",
	kind:     "ThirdPartyAdapter",
	refused:  fields{"spec.circuitBreaker": `{openDuration: 1h}`},
	message:  "circuitBreaker.openDuration lies between 100ms and 1m",
	accepted: fields{"spec.circuitBreaker": `{openDuration: 1m}`},
}, {
	sentence: "a request that is slow after ten minutes",
	kind:     "ThirdPartyAdapter",
	refused:  fields{"spec.circuitBreaker": `{slowRequestDuration: 10m}`},
	message:  "circuitBreaker.slowRequestDuration lies between 1ms and 60s",
	accepted: fields{"spec.circuitBreaker": `{slowRequestDuration: 1s}`},
}, {
	sentence: "a request that times out before it is slow",
	kind:     "ThirdPartyAdapter",
	refused:  fields{"spec.timeout": "2s", "spec.circuitBreaker": `{slowRequestDuration: 2s}`},
	message:  "circuitBreaker.slowRequestDuration is shorter than timeout: what takes as long as the timeout fails as it is",
	accepted: fields{"spec.timeout": "2s", "spec.circuitBreaker": `{slowRequestDuration: 1999ms}`},
}, {
	sentence: "a rate limit over a day",
	kind:     "ThirdPartyAdapter",
	refused:  fields{"spec.rateLimit": `{requests: 100, period: 24h}`},
	message:  "rateLimit.period lies between 1s and 1h",
	accepted: fields{"spec.rateLimit": `{requests: 100, period: 1h}`},
}, {
	sentence: "adaptive concurrency, which comes later",
	kind:     "ThirdPartyAdapter",
	refused:  fields{"spec.concurrency": `{mode: Adaptive, max: 10}`},
	message:  "concurrency.mode Adaptive is not available in this version: use Fixed",
	accepted: fields{"spec.concurrency": `{max: 10}`},
}, {
	sentence: "an outcome of a response rule that is none",
	kind:     "ThirdPartyAdapter",
	refused:  fields{"spec.response": `{rules: [{whenExpression: "true", outcome: Maybe}]}`},
	message:  `supported values: "Done", "Retry", "Dead", "Park", "KeyReused"`,
	accepted: fields{"spec.response": `{successExpression: response.body.code == 0, rules: [{whenExpression: response.body.code == 17, outcome: Park}]}`},
}, {
	sentence: "a third party that ignores keys, and no word about duplicates",
	kind:     "ThirdPartyAdapter",
	refused:  fields{"spec.idempotency": `{keys: Ignored}`},
	message:  "the third party ignores idempotency keys: say with idempotency.statusQuery how it is asked what became of a request, or with idempotency.duplicates whether a request of unknown fate is sent again (Accept) or becomes a dead letter (Refuse)",
	accepted: fields{"spec.idempotency": `{keys: Ignored, duplicates: Refuse}`},
}, {
	sentence: "a status query that cannot say that there was no effect",
	kind:     "ThirdPartyAdapter",
	refused:  fields{"spec.idempotency": `{keys: Ignored, statusQuery: {pathExpression: "'/' + key", doneExpression: response.status == 200}}`},
	message:  "spec.idempotency.statusQuery.absentExpression: Required value",
	accepted: fields{"spec.idempotency": `{keys: Ignored, statusQuery: {pathExpression: "'/' + key", doneExpression: response.status == 200, absentExpression: response.status == 404}}`},
}, {
	sentence: "a header name with a space",
	kind:     "ThirdPartyAdapter",
	refused:  fields{"spec.idempotency": `{keys: Honoured, header: "Idempotency Key"}`},
	message:  "a header name consists of letters, digits and '-'",
	accepted: fields{"spec.idempotency": `{keys: Honoured, header: X-Key}`},
}, {
	sentence: "an answer about keys that is none",
	kind:     "ThirdPartyAdapter",
	refused:  fields{"spec.idempotency": `{keys: Sometimes}`},
	message:  `supported values: "Honoured", "Ignored"`,
	accepted: fields{"spec.idempotency": `{keys: Ignored, duplicates: Accept}`},
}, {
	sentence: "a key remembered for a second",
	kind:     "ThirdPartyAdapter",
	refused:  fields{"spec.idempotency": `{keys: Honoured, window: 1s}`},
	message:  "idempotency.window lies between 1m and 720h",
	accepted: fields{"spec.idempotency": `{keys: Honoured, window: 1h}`},
}, {
	sentence: "no word about idempotency",
	kind:     "ThirdPartyAdapter",
	refused:  fields{"spec.idempotency": "-"},
	message:  "spec.idempotency: Required value",
	accepted: fields{},
}, {
	sentence: "an adapter whose name cannot name a volume",
	kind:     "ThirdPartyAdapter",
	refused:  fields{"metadata.name": "sms.gateway"},
	message:  "the name of a ThirdPartyAdapter has at most 63 characters: lower-case letters, digits and '-'; it names a volume of the pods",
	accepted: fields{"metadata.name": "sms-gateway"},
}}

var authCases = []admissionCase{{
	sentence: "Basic without its member",
	kind:     "ThirdPartyAdapter",
	refused:  fields{"spec.auth": `{type: Basic}`},
	message:  "auth.basic is given with auth type Basic, and only with it",
	accepted: fields{"spec.auth": `{type: Basic, basic: {secretRef: {name: sms}}}`},
}, {
	sentence: "Bearer without its member",
	kind:     "ThirdPartyAdapter",
	refused:  fields{"spec.auth": `{type: Bearer}`},
	message:  "auth.bearer is given with auth type Bearer, and only with it",
	accepted: fields{"spec.auth": `{type: Bearer, bearer: {secretRef: {name: sms}}}`},
}, {
	sentence: "APIKey without its member",
	kind:     "ThirdPartyAdapter",
	refused:  fields{"spec.auth": `{type: APIKey}`},
	message:  "auth.apiKey is given with auth type APIKey, and only with it",
	accepted: fields{"spec.auth": `{type: APIKey, apiKey: {secretRef: {name: sms}}}`},
}, {
	sentence: "HMAC without its member",
	kind:     "ThirdPartyAdapter",
	refused:  fields{"spec.auth": `{type: HMAC}`},
	message:  "auth.hmac is given with auth type HMAC, and only with it",
	accepted: fields{"spec.auth": `{type: HMAC, hmac: {secretRef: {name: sms}}}`},
}, {
	sentence: "a client certificate, which comes later",
	kind:     "ThirdPartyAdapter",
	refused:  fields{"spec.auth": `{type: MTLS}`},
	message:  "auth types OAuth2 and MTLS are not available in this version: use Basic, Bearer, APIKey or HMAC",
	accepted: fields{"spec.auth": `{type: Bearer, bearer: {secretRef: {name: sms}}}`},
}, {
	sentence: "an API key in a parameter with a strange name",
	kind:     "ThirdPartyAdapter",
	refused:  fields{"spec.auth": `{type: APIKey, apiKey: {secretRef: {name: sms}, name: "a key"}}`},
	message:  "the name of a header or query parameter consists of letters, digits, '_' and '-'",
	accepted: fields{"spec.auth": `{type: APIKey, apiKey: {secretRef: {name: sms}, in: Query, name: api_key}}`},
}, {
	sentence: "a signature in a header with a space",
	kind:     "ThirdPartyAdapter",
	refused:  fields{"spec.auth": `{type: HMAC, hmac: {secretRef: {name: sms}, signatureHeader: "X Header"}}`},
	message:  "a header name consists of letters, digits and '-'",
	accepted: fields{"spec.auth": `{type: HMAC, hmac: {secretRef: {name: sms}, signatureHeader: X-Header}}`},
}, {
	sentence: "a time in a header with a space",
	kind:     "ThirdPartyAdapter",
	refused:  fields{"spec.auth": `{type: HMAC, hmac: {secretRef: {name: sms}, timestampHeader: "X Header"}}`},
	message:  "a header name consists of letters, digits and '-'",
	accepted: fields{"spec.auth": `{type: HMAC, hmac: {secretRef: {name: sms}, timestampHeader: X-Header}}`},
}, {
	sentence: "a key id in a header with a space",
	kind:     "ThirdPartyAdapter",
	refused:  fields{"spec.auth": `{type: HMAC, hmac: {secretRef: {name: sms}, keyIDHeader: "X Header"}}`},
	message:  "a header name consists of letters, digits and '-'",
	accepted: fields{"spec.auth": `{type: HMAC, hmac: {secretRef: {name: sms}, keyIDHeader: X-Header}}`},
}}
