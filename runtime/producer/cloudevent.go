// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package producer

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"
)

// Where a CloudEvent's attributes go: the names that CloudEvents' draft for RocketMQ and its Java SDK use.
const (
	eventPrefix      = "CE_"
	eventContentType = "CE_contenttype"
	eventVersion     = "1.0"
)

// CloudEvent is an event in the form of CloudEvents 1.0 whose data is JSON. docs/order-event.md says what becomes of it.
type CloudEvent struct {
	// ID and Source together name the event: the same in every message about it.
	ID     string
	Source string
	// Type is what happened; also the message's tag.
	Type string
	// Subject is what it happened to, the order's id; also the message's key. Optional.
	Subject string
	// Time is when it happened. Optional.
	Time time.Time
	// DataSchema is a URI. Optional.
	DataSchema string
	// Extensions are further attributes; their names consist of lower-case letters and digits.
	Extensions map[string]string
	// Data is what handlers see as the order: JSON.
	Data json.RawMessage
}

var attributeName = regexp.MustCompile(`^[a-z0-9]+$`)

// attributes are the event's, by name.
func (e CloudEvent) attributes() (map[string]string, error) {
	if e.ID == "" || e.Source == "" || e.Type == "" {
		return nil, errors.New("cloud event: id, source and type are needed")
	}
	if !json.Valid(e.Data) {
		return nil, errors.New("cloud event: the data is no JSON document")
	}
	all := map[string]string{"specversion": eventVersion, "id": e.ID, "source": e.Source, "type": e.Type}
	if e.Subject != "" {
		all["subject"] = e.Subject
	}
	if !e.Time.IsZero() {
		all["time"] = e.Time.Format(time.RFC3339Nano)
	}
	if e.DataSchema != "" {
		all["dataschema"] = e.DataSchema
	}
	for name, value := range e.Extensions {
		_, taken := all[name]
		switch name {
		case "subject", "time", "dataschema", "datacontenttype", "data", "contenttype":
			taken = true
		}
		if taken || !attributeName.MatchString(name) {
			return nil, fmt.Errorf("cloud event: extension %q is an attribute of CloudEvents itself, or is not of lower-case letters and digits", name)
		}
		all[name] = value
	}
	return all, nil
}

// message completes a message in either mode.
func (e CloudEvent) message(msg Message) (Message, error) {
	msg.Tag = e.Type
	if e.Subject != "" {
		msg.Keys = []string{e.Subject}
	}
	if err := msg.Validate(); err != nil {
		return Message{}, fmt.Errorf("cloud event: %w", err)
	}
	return msg, nil
}

// Binary makes the event's message in binary mode: the data is the body, the attributes are properties.
func (e CloudEvent) Binary() (Message, error) {
	attributes, err := e.attributes()
	if err != nil {
		return Message{}, err
	}
	properties := map[string]string{eventContentType: "application/json"}
	for name, value := range attributes {
		properties[eventPrefix+name] = value
	}
	return e.message(Message{Properties: properties, Body: e.Data})
}

// Structured makes the event's message in structured mode: the body is a document with attributes and data.
func (e CloudEvent) Structured() (Message, error) {
	attributes, err := e.attributes()
	if err != nil {
		return Message{}, err
	}
	document := map[string]any{"datacontenttype": "application/json", "data": e.Data}
	for name, value := range attributes {
		document[name] = value
	}
	body, err := json.Marshal(document)
	if err != nil {
		return Message{}, fmt.Errorf("cloud event: encode: %w", err)
	}
	return e.message(Message{Properties: map[string]string{eventContentType: "application/cloudevents+json"}, Body: body})
}

// CloudEvent makes a CloudEvent of an order event. Its ID is made of the order's id and the event type, so that every message
// about it bears the same.
func (e OrderEvent) CloudEvent(source string) (CloudEvent, error) {
	plain, err := e.Message()
	if err != nil {
		return CloudEvent{}, err
	}
	return CloudEvent{
		ID: e.EventType + "/" + e.ID, Source: source, Type: e.EventType, Subject: e.ID, Time: e.PaidAt, Data: plain.Body,
	}, nil
}
