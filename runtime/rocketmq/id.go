// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"fmt"
	"strings"

	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/google/uuid"
)

// idLength and idPrefixLength are those of RocketMQ's unique keys in hexadecimal digits: 10 bytes naming the process,
// then 4 of time and 2 of a counter.
const idLength, idPrefixLength = 32, 20

// IDs makes message IDs. The library's own begin with address and process id, so that two containers with process id 1 and
// one host address make the same; ours begin with random bytes.
type IDs struct{ prefix string }

// NewIDs returns a source of IDs that no other source makes.
func NewIDs() *IDs {
	random := uuid.New()
	return &IDs{prefix: strings.ToUpper(fmt.Sprintf("%x", random[:idPrefixLength/2]))}
}

// New makes an ID.
func (i *IDs) New() string {
	id := primitive.CreateUniqID()
	return i.prefix + id[len(id)-(idLength-idPrefixLength):]
}
