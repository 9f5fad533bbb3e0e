// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cloudevent finds the order in a message: its body, or the data of the CloudEvent it is. Workers see it so, and whoever selects messages by it.
package cloudevent

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"strings"

	"github.com/orderflow-dev/orderflow/internal/expression"
	"github.com/orderflow-dev/orderflow/internal/rocketmq"
)

// ErrUnusable is wrapped by Decode's error where a message says that it is a CloudEvent and is none that can be used.
var ErrUnusable = errors.New("the message is no usable CloudEvent")

const (
	prefix    = "ce_" // of properties that are attributes; senders also write CE_
	mediaType = "application/cloudevents"
)

// contentTypes are the properties in which senders name the type of the body: the draft of the RocketMQ binding and the Java SDK
// write the first.
var contentTypes = [...]string{"ce_contenttype", "ce_datacontenttype", "content-type", "contenttype"}

// Event is the CloudEvent a message is, as far as its order does not show it. The zero event is none.
type Event struct {
	// Attributes by name, without data; nil if the message is no CloudEvent.
	Attributes map[string]string
	// structured is an event whose attributes are in the body, beside its data.
	structured bool
}

// Decode decodes a message's order. The error contains nothing of the body; it wraps expression.ErrTooLarge or ErrUnusable where that is why.
func Decode(m *rocketmq.Message) (order any, e Event, err error) {
	if e, err = read(m); err != nil {
		return nil, Event{}, err
	}
	order, err = expression.DecodeJSON(m.Body)
	if err == nil && e.structured {
		order, err = e.open(order)
	}
	if err != nil {
		return nil, Event{}, err
	}
	return order, e, nil
}

// Properties are a message's, the sender's and RocketMQ's, and the event's attributes as ce_type and so on.
func (e Event) Properties(m *rocketmq.Message) map[string]string {
	properties := maps.Collect(m.Properties())
	for name, value := range e.Attributes {
		properties[prefix+name] = value
	}
	return properties
}

// read looks for a CloudEvent among the properties. It is asked of each message, so it allocates nothing where there is none.
func read(m *rocketmq.Message) (Event, error) {
	contentType, isEvent := "", false
	for name, value := range m.Properties() {
		switch {
		case name == "" || name[0]|' ' != 'c': // neither of them, said fast
		case strings.EqualFold(name, prefix+"specversion"):
			isEvent = true
		case isContentType(name):
			contentType = value
		}
	}
	if len(contentType) >= len(mediaType) && strings.EqualFold(contentType[:len(mediaType)], mediaType) {
		media, _, err := mime.ParseMediaType(contentType)
		if err != nil || media != mediaType+"+json" {
			return Event{}, fmt.Errorf("%w: only the format %s+json can be read, one event in each message", ErrUnusable, mediaType)
		}
		return Event{structured: true}, nil
	}
	if !isEvent {
		return Event{}, nil
	}
	if !isJSON(contentType) {
		return Event{}, fmt.Errorf("%w: its data is not JSON, says its content type", ErrUnusable)
	}
	attributes := map[string]string{}
	for name, value := range m.Properties() {
		if len(name) > len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) {
			attributes[strings.ToLower(name[len(prefix):])] = value
		}
	}
	return Event{Attributes: attributes}, required(attributes)
}

func isContentType(name string) bool {
	for _, known := range contentTypes {
		if strings.EqualFold(name, known) {
			return true
		}
	}
	return false
}

// isJSON reports whether a content type is one of JSON; without one it is.
func isJSON(contentType string) bool {
	if contentType == "" {
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && (media == "application/json" || media == "text/json" || strings.HasSuffix(media, "+json"))
}

// required says what an event lacks.
func required(attributes map[string]string) error {
	if version := attributes["specversion"]; !strings.HasPrefix(version, "1.") {
		return fmt.Errorf("%w: its specversion is not 1.0", ErrUnusable)
	}
	for _, name := range []string{"id", "source", "type"} {
		if attributes[name] == "" {
			return fmt.Errorf("%w: its %s is missing", ErrUnusable, name)
		}
	}
	return nil
}

// open takes the attributes and the data out of a structured event's document.
func (e *Event) open(document any) (data any, err error) {
	object, ok := document.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%w: the body is no object", ErrUnusable)
	}
	e.Attributes = map[string]string{}
	for name, value := range object {
		if name == "data" || name == "data_base64" || value == nil {
			continue
		}
		switch v := value.(type) {
		case string:
			e.Attributes[name] = v
		case bool, int64:
			e.Attributes[name] = fmt.Sprint(v)
		default:
			return nil, fmt.Errorf("%w: one of its attributes is neither a text nor an integer nor a boolean", ErrUnusable)
		}
	}
	if err := required(e.Attributes); err != nil {
		return nil, err
	}
	if !isJSON(e.Attributes["datacontenttype"]) {
		return nil, fmt.Errorf("%w: its data is not JSON, says its datacontenttype", ErrUnusable)
	}
	data, plain := object["data"]
	encoded, coded := object["data_base64"]
	switch {
	case plain && coded:
		return nil, fmt.Errorf("%w: it has both data and data_base64", ErrUnusable)
	case plain:
		return data, nil
	case coded:
		return decodeBase64(encoded)
	}
	return nil, fmt.Errorf("%w: it has no data", ErrUnusable)
}

func decodeBase64(encoded any) (any, error) {
	text, ok := encoded.(string)
	decoded, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil {
		return nil, fmt.Errorf("%w: its data_base64 is not base64", ErrUnusable)
	}
	data, err := expression.DecodeJSON(decoded)
	if err != nil {
		return nil, fmt.Errorf("%w: its data: %w", ErrUnusable, err)
	}
	return data, nil
}

// Data is the order as it was sent, in the body of a message that was decoded.
func (e Event) Data(body []byte) []byte {
	if !e.structured {
		return body
	}
	var members map[string]json.RawMessage // not a struct, whose fields would take other spellings of their names
	if json.Unmarshal(body, &members) != nil {
		return body
	}
	if data, plain := members["data"]; plain {
		return data
	}
	var decoded []byte // read as base64
	if json.Unmarshal(members["data_base64"], &decoded) != nil {
		return body
	}
	return decoded
}
