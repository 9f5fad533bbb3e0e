// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package credential decides which Secrets OrderFlow may use, and reads them.
//
// A Secret is usable only where its owner said so on the Secret itself: the label orderflow.dev/credential=true, and the annotation
// orderflow.dev/allowed-hosts with the host it is to be sent to. Without that, whoever may write an adapter could have any Secret of the
// namespace sent to a server of their choice.
//
// Secrets are read one by one, by name, and never watched: OrderFlow needs the verb get only, and holds no copy of what it does not use.
// So a change is seen when the object that names the Secret is looked at again.
//
// Messages name the Secret, the key and the command that helps; never a value.
package credential
