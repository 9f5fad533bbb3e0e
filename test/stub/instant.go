// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package stub

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
)

// instantAnswer is what a healthy provider says, in the fewest bytes.
var instantAnswer = []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{\"code\":\"OK\"}")

var contentLength = []byte("Content-Length:")

// ServeInstant answers every request on the listener's connections with 200 {"code":"OK"} at once, until the listener is closed, and calls called for each.
// It records nothing and understands no more of HTTP than clients use to call it, so that benchmarks of callers measure the callers.
func ServeInstant(l net.Listener, called func()) error {
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		go serveInstant(conn, called)
	}
}

// serveInstant answers until the caller hangs up, or sends what is no request.
func serveInstant(conn net.Conn, called func()) {
	defer conn.Close()
	for in := bufio.NewReaderSize(conn, 16<<10); skipRequest(in) == nil; {
		called()
		if _, err := conn.Write(instantAnswer); err != nil {
			return
		}
	}
}

// skipRequest reads a request whose body has a length.
func skipRequest(in *bufio.Reader) error {
	length := 0
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) <= len("\r\n") {
			_, err := in.Discard(length)
			return err
		}
		if len(line) > len(contentLength) && bytes.EqualFold(line[:len(contentLength)], contentLength) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[len(contentLength):]))); err != nil || length < 0 {
				return io.ErrUnexpectedEOF
			}
		}
	}
}
