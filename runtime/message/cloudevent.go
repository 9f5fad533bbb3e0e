// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package message

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"strings"

	"github.com/orderflow-dev/orderflow/internal/expression"
)

// ErrCloudEvent is wrapped by Decode's error where a message says that it is a CloudEvent and is none that can be used.
var ErrCloudEvent = errors.New("the message is no usable CloudEvent")

const (
	eventPrefix    = "ce_" // of properties that are attributes; senders also write CE_
	eventMediaType = "application/cloudevents"
)

// contentTypes are the properties in which senders name the type of the body: the draft of the RocketMQ binding and the Java SDK
// write the first.
var contentTypes = [...]string{"ce_contenttype", "ce_datacontenttype", "content-type", "contenttype"}

// event is the CloudEvent a message is, as far as its order does not show it.
type event struct {
	// attributes by name, without data; nil if the message is no CloudEvent.
	attributes map[string]string
	// structured is an event whose attributes are in the body, beside its data.
	structured bool
}

// readEvent looks for a CloudEvent among the properties. It is asked of each message, so it allocates nothing where there is none.
func (m *Message) readEvent() (event, error) {
	contentType, isEvent := "", false
	for name, value := range m.raw.Properties() {
		switch {
		case name == "" || name[0]|' ' != 'c': // neither of them, said fast
		case strings.EqualFold(name, eventPrefix+"specversion"):
			isEvent = true
		case isContentType(name):
			contentType = value
		}
	}
	if len(contentType) >= len(eventMediaType) && strings.EqualFold(contentType[:len(eventMediaType)], eventMediaType) {
		media, _, err := mime.ParseMediaType(contentType)
		if err != nil || media != eventMediaType+"+json" {
			return event{}, fmt.Errorf("%w: only the format %s+json can be read, one event in each message", ErrCloudEvent, eventMediaType)
		}
		return event{structured: true}, nil
	}
	if !isEvent {
		return event{}, nil
	}
	if !isJSON(contentType) {
		return event{}, fmt.Errorf("%w: its data is not JSON, says its content type", ErrCloudEvent)
	}
	attributes := map[string]string{}
	for name, value := range m.raw.Properties() {
		if len(name) > len(eventPrefix) && strings.EqualFold(name[:len(eventPrefix)], eventPrefix) {
			attributes[strings.ToLower(name[len(eventPrefix):])] = value
		}
	}
	return event{attributes: attributes}, required(attributes)
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
		return fmt.Errorf("%w: its specversion is not 1.0", ErrCloudEvent)
	}
	for _, name := range []string{"id", "source", "type"} {
		if attributes[name] == "" {
			return fmt.Errorf("%w: its %s is missing", ErrCloudEvent, name)
		}
	}
	return nil
}

// open takes the attributes and the data out of a structured event's document.
func (e *event) open(document any) (data any, err error) {
	object, ok := document.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%w: the body is no object", ErrCloudEvent)
	}
	e.attributes = map[string]string{}
	for name, value := range object {
		if name == "data" || name == "data_base64" || value == nil {
			continue
		}
		switch v := value.(type) {
		case string:
			e.attributes[name] = v
		case bool, int64:
			e.attributes[name] = fmt.Sprint(v)
		default:
			return nil, fmt.Errorf("%w: one of its attributes is neither a text nor an integer nor a boolean", ErrCloudEvent)
		}
	}
	if err := required(e.attributes); err != nil {
		return nil, err
	}
	if !isJSON(e.attributes["datacontenttype"]) {
		return nil, fmt.Errorf("%w: its data is not JSON, says its datacontenttype", ErrCloudEvent)
	}
	data, plain := object["data"]
	encoded, coded := object["data_base64"]
	switch {
	case plain && coded:
		return nil, fmt.Errorf("%w: it has both data and data_base64", ErrCloudEvent)
	case plain:
		return data, nil
	case coded:
		return decodeBase64(encoded)
	}
	return nil, fmt.Errorf("%w: it has no data", ErrCloudEvent)
}

func decodeBase64(encoded any) (any, error) {
	text, ok := encoded.(string)
	decoded, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil {
		return nil, fmt.Errorf("%w: its data_base64 is not base64", ErrCloudEvent)
	}
	data, err := expression.DecodeJSON(decoded)
	if err != nil {
		return nil, fmt.Errorf("%w: its data: %w", ErrCloudEvent, err)
	}
	return data, nil
}

// eventData is the data of a structured event's body as it was sent. The body was decoded before, so nothing can fail.
func eventData(body []byte) []byte {
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
