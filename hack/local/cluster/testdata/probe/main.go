// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Command probe runs in a pod of the cluster's own test: it says whether it can reach what it was told to, and then serves
// HTTP so that it counts as ready.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

func main() {
	for _, address := range os.Args[1:] {
		conn, err := net.DialTimeout("tcp", address, 5*time.Second)
		if err != nil {
			fmt.Println("cannot reach", address, err)
			continue
		}
		conn.Close()
		fmt.Println("reached", address)
	}
	fmt.Println(http.ListenAndServe(":8080", http.NotFoundHandler()))
}
