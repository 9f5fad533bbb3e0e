// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// This is one request of the remoting protocol, enough to ask a name server which brokers it knows: a frame is its
// length, the length of its JSON header, that header and a body, all lengths being big-endian int32. internal/rocketmq
// speaks all of the protocol; its tests run against this package, which therefore must not need it.
const (
	getClusterInfo = 106 // code of the request
	maxFrame       = 1 << 20
	askTimeout     = 5 * time.Second
)

// registered returns nil if the name server answers and lists the broker; an empty name asks for its answer alone.
func (c *Cluster) registered(ctx context.Context, broker string) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	conn, err := c.dial(ctx, c.NameServer())
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline() // set above
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	header := fmt.Appendf(nil, `{"code":%d,"language":"GO","version":493,"opaque":1,"flag":0}`, getClusterInfo)
	frame := binary.BigEndian.AppendUint32(nil, uint32(4+len(header)))
	frame = binary.BigEndian.AppendUint32(frame, uint32(len(header)))
	if _, err := conn.Write(append(frame, header...)); err != nil {
		return fmt.Errorf("ask the name server for its brokers: %w", err)
	}
	var length uint32
	if err := binary.Read(conn, binary.BigEndian, &length); err != nil {
		return fmt.Errorf("read the name server's answer: %w", err)
	}
	if length > maxFrame {
		return errors.New("the name server's answer is no frame of the remoting protocol")
	}
	answer := make([]byte, length)
	if _, err := io.ReadFull(conn, answer); err != nil {
		return fmt.Errorf("read the name server's answer: %w", err)
	}
	// The answer is not JSON, as its broker ids are bare numbers; a broker's entry repeats its name.
	if broker != "" && !bytes.Contains(answer, fmt.Appendf(nil, `"brokerName":%q`, broker)) {
		return fmt.Errorf("the name server does not list %s yet", broker)
	}
	return nil
}
