// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package witness lets tests see RocketMQ with other eyes than ours: RocketMQ's own Java client, which real shops use,
// and mqadmin. What OrderFlow sends, a Java consumer must get; what a Java producer sends, OrderFlow must handle; what
// the operator declares, mqadmin must show.
//
// # How it works
//
// The witnesses are the small programs in java/. The first use on a machine compiles them, with the jars of
// hack/local/rocketmq, into that package's cache under a hash of their sources. Each runs as a process of the test:
// options go in as a JSON argument, messages go in and out as JSON lines, and the end of its standard input, which the
// death of the test brings about too, ends it.
//
// # Limits
//
// A witness takes seconds to start. Its consumers begin at the first message of a queue that their group has not yet
// consumed.
package witness
