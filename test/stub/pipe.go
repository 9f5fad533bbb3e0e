// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package stub

import (
	"context"
	"net"
)

// Pipe is a listener without a port, so that a bubble's clock goes on while a third party is silent. It is closed once.
type Pipe chan net.Conn

// Addr implements net.Listener.
func (p Pipe) Addr() net.Addr { return &net.UnixAddr{} }

// Close implements net.Listener.
func (p Pipe) Close() error { close(p); return nil }

// Accept implements net.Listener.
func (p Pipe) Accept() (net.Conn, error) {
	conn, open := <-p
	if !open {
		return nil, net.ErrClosed
	}
	return conn, nil
}

// Dial connects to it, whatever the address.
func (p Pipe) Dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	p <- theirs
	return ours, nil
}
