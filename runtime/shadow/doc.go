// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package shadow handles messages without any effect: a handler maps them as always, and what would be sent is logged with every value of the order
// replaced by its type and length. So a new adapter is looked at with real orders before anybody is told of them.
//
// It stands at both ends of the handler. In place of an adapter, a Caller logs the request: there is no third party, thus no circuit and no limit, and
// credentials are not read. Around the delivery, Messages turns every outcome into Done: what would be a dead letter or expired is logged and counted with its
// reason, and nothing is written to the broker but the offset. A message whose order key cannot be told is handled without one. What does not reach the delivery is as ever: a message that cannot be read as the broker
// stored it, or that killed this process three times, is a dead letter.
package shadow
