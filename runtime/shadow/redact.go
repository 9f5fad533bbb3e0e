// Copyright The OrderFlow Authors.
// SPDX-License-Identifier: Apache-2.0

package shadow

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	// maxMembers and maxDepth bound what is shown of a list or an object; the rest is counted.
	maxMembers = 32
	maxDepth   = 6
	// maxText bounds a line, whatever is in it.
	maxText = 4 << 10
)

// fieldName is what a program names a field. Anything else may be a value, as in a map by member, and is shown by its length.
var fieldName = regexp.MustCompile(`^[A-Za-z_][A-Za-z_-]{0,39}[0-9]?$`)

// redacted is a JSON body that shows its shape when it is logged, and not before.
type redacted []byte

// LogValue implements slog.LogValuer.
func (r redacted) LogValue() slog.Value {
	if r == nil {
		return slog.StringValue("none")
	}
	var body any
	if err := json.Unmarshal(r, &body); err != nil {
		return slog.StringValue(fmt.Sprintf("no JSON, %d bytes", len(r)))
	}
	var out strings.Builder
	write(&out, body, maxDepth)
	if out.Len() > maxText {
		return slog.StringValue(out.String()[:maxText] + "…") // it is ASCII
	}
	return slog.StringValue(out.String())
}

// write shows a value by its type and length.
func write(out *strings.Builder, value any, depth int) {
	switch v := value.(type) {
	case string:
		fmt.Fprintf(out, "string(%d)", utf8.RuneCountInString(v))
	case float64:
		out.WriteString("number")
	case bool:
		out.WriteString("bool")
	case nil:
		out.WriteString("null")
	case []any:
		writeList(out, v, depth)
	case map[string]any:
		writeObject(out, v, depth)
	}
}

func writeList(out *strings.Builder, list []any, depth int) {
	if depth == 0 {
		fmt.Fprintf(out, "list(%d)", len(list))
		return
	}
	out.WriteByte('[')
	for i, item := range list {
		if i == maxMembers {
			fmt.Fprintf(out, ",+%d", len(list)-i)
			break
		}
		if i > 0 {
			out.WriteByte(',')
		}
		write(out, item, depth-1)
	}
	out.WriteByte(']')
}

func writeObject(out *strings.Builder, object map[string]any, depth int) {
	if depth == 0 {
		fmt.Fprintf(out, "object(%d)", len(object))
		return
	}
	out.WriteByte('{')
	for i, name := range slices.Sorted(maps.Keys(object)) {
		if i == maxMembers {
			fmt.Fprintf(out, ",+%d", len(object)-i)
			break
		}
		if i > 0 {
			out.WriteByte(',')
		}
		if fieldName.MatchString(name) {
			out.WriteString(name)
		} else {
			fmt.Fprintf(out, "name(%d)", utf8.RuneCountInString(name))
		}
		out.WriteByte(':')
		write(out, object[name], depth-1)
	}
	out.WriteByte('}')
}

// redactedPath shows how many segments a path has, and how long they are.
func redactedPath(path string) string {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if segment != "" {
			segments[i] = fmt.Sprintf("(%d)", utf8.RuneCountInString(segment))
		}
	}
	return strings.Join(segments, "/")
}
