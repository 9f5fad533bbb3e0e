// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package expression

import (
	"time"

	"github.com/google/cel-go/cel"
)

// Message is what MessageScope's variables are read from, each only when an expression uses it.
type Message interface {
	// Order is the body, as DecodeJSON decodes it.
	Order() any
	ID() string
	Topic() string
	Tag() string
	Keys() []string
	Properties() map[string]string
	BornTime() time.Time
	Attempt() int
}

// Response is what ResponseScope's variables are read from.
type Response struct {
	Status int
	// Headers by their names in lower case; asked for only when an expression uses them.
	Headers func() map[string]string
	// Body as DecodeJSON decodes it, nil if it is no JSON.
	Body any
}

// Variables are those of one evaluation: OfMessage, OfQuery or OfResponse.
type Variables func(name string) (value any, ok bool)

// OfMessage returns the variables of MessageScope.
func OfMessage(m Message) Variables {
	return func(name string) (any, bool) {
		switch name {
		case "order":
			return m.Order(), true
		case "message.id":
			return m.ID(), true
		case "message.topic":
			return m.Topic(), true
		case "message.tag":
			return m.Tag(), true
		case "message.keys":
			return m.Keys(), true
		case "message.properties":
			return m.Properties(), true
		case "message.bornTime":
			return m.BornTime(), true
		case "message.attempt":
			return m.Attempt(), true
		}
		return nil, false
	}
}

// OfQuery returns the variables of QueryScope.
func OfQuery(m Message, key string) Variables {
	of := OfMessage(m)
	return func(name string) (any, bool) {
		if name == "key" {
			return key, true
		}
		return of(name)
	}
}

// OfResponse returns the variables of ResponseScope.
func OfResponse(r Response) Variables {
	return func(name string) (any, bool) {
		switch name {
		case "response.status":
			return r.Status, true
		case "response.headers":
			return r.Headers(), true
		case "response.body":
			return r.Body, true
		}
		return nil, false
	}
}

// ResolveName makes Variables a cel.Activation. CEL asks for names that are none while it looks for the longest one that is.
func (v Variables) ResolveName(name string) (any, bool) { return v(name) }

// Parent makes Variables a cel.Activation.
func (Variables) Parent() cel.Activation { return nil }

var messageVariables = []cel.EnvOption{
	cel.Variable("order", cel.DynType),
	cel.Variable("message.id", cel.StringType),
	cel.Variable("message.topic", cel.StringType),
	cel.Variable("message.tag", cel.StringType),
	cel.Variable("message.keys", cel.ListType(cel.StringType)),
	cel.Variable("message.properties", cel.MapType(cel.StringType, cel.StringType)),
	cel.Variable("message.bornTime", cel.TimestampType),
	cel.Variable("message.attempt", cel.IntType),
}

var responseVariables = []cel.EnvOption{
	cel.Variable("response.status", cel.IntType),
	cel.Variable("response.headers", cel.MapType(cel.StringType, cel.StringType)),
	cel.Variable("response.body", cel.DynType),
}
