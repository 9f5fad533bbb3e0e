// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package rocketmq

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// A broker listens on its port, two below it (priority remoting) and one above it (replication). Ports are dealt out in
// aligned blocks of four, so that two brokers overlap in all of these or in none, and from below the range systems use
// for outgoing connections, so that no client takes one between the choice and the broker's start.
const (
	blockSize   = 4
	firstBlock  = 15000 // both bounds are multiples of blockSize
	lastBlock   = 32000
	blockTries  = 200
	portInBlock = 2
)

// freeBlock returns a port of host that is free together with the two below and the one above it. The choice is
// random, so that programs which choose at the same moment rarely meet.
func freeBlock(host string) (int, error) {
	for range blockTries {
		first := firstBlock + blockSize*rand.IntN((lastBlock-firstBlock)/blockSize)
		if blockFree(host, first) {
			return first + portInBlock, nil
		}
	}
	return 0, fmt.Errorf("found no four free ports in a row on %s between %d and %d", host, firstBlock, lastBlock)
}

func blockFree(host string, first int) bool {
	for port := first; port < first+blockSize; port++ {
		listener, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			return false
		}
		defer listener.Close() // each is held until all were tried
	}
	return true
}
