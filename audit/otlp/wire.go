package otlp

import (
	"encoding/hex"
	"math"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"google.golang.org/protobuf/encoding/protowire"
)

// scopeName is the instrumentation scope of the events.
const scopeName = "github.com/mcpauth/mcpauth/audit"

// enclose makes what was appended to b since start a message in the field.
func enclose(b []byte, start int, field protowire.Number) []byte {
	size := len(b) - start
	head := protowire.SizeTag(field) + protowire.SizeVarint(uint64(size))
	b = slices.Grow(b, head)[:len(b)+head]
	copy(b[start+head:], b[start:start+size])
	protowire.AppendVarint(protowire.AppendTag(b[:start], field, protowire.BytesType), uint64(size))
	return b
}

// appendText makes text valid, as a collector would refuse the whole request for
// one string that is not UTF-8.
func appendText(b []byte, field protowire.Number, text string) []byte {
	if text == "" {
		return b
	}
	return appendTextAlways(b, field, text)
}

func appendTextAlways(b []byte, field protowire.Number, text string) []byte {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	return protowire.AppendString(b, strings.ToValidUTF8(text, "\ufffd"))
}

func appendVarint(b []byte, field protowire.Number, value uint64) []byte {
	if value == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), value)
}

func appendTime(b []byte, field protowire.Number, at time.Time) []byte {
	if at.IsZero() {
		return b
	}
	return protowire.AppendFixed64(protowire.AppendTag(b, field, protowire.Fixed64Type), uint64(at.UnixNano()))
}

func appendFixed32(b []byte, field protowire.Number, value uint32) []byte {
	return protowire.AppendFixed32(protowire.AppendTag(b, field, protowire.Fixed32Type), value)
}

func appendBytes(b []byte, field protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), value)
}

// appendHex leaves out what is not the hexadecimal form of that many bytes.
func appendHex(b []byte, field protowire.Number, text string, size int) []byte {
	var decoded [16]byte
	if len(text) != 2*size {
		return b
	}
	if _, err := hex.Decode(decoded[:size], []byte(text)); err != nil {
		return b
	}
	return appendBytes(b, field, decoded[:size])
}

// The fields of a KeyValue and of the AnyValue in it.
const (
	keyOf, valueOf                                protowire.Number = 1, 2
	stringValue, boolValue, intValue, doubleValue protowire.Number = 1, 2, 3, 4
	arrayValue, mapValue, bytesValue              protowire.Number = 5, 6, 7
	elementsOf                                    protowire.Number = 1
)

func appendAttributes(b []byte, field protowire.Number, attributes []attribute.KeyValue) []byte {
	for _, a := range attributes {
		start := len(b)
		b = appendText(b, keyOf, string(a.Key))
		b = appendValue(b, valueOf, a.Value)
		b = enclose(b, start, field)
	}
	return b
}

// appendValue appends an AnyValue; an empty one has none of its fields.
func appendValue(b []byte, field protowire.Number, v attribute.Value) []byte {
	start := len(b)
	switch v.Type() {
	case attribute.BOOL:
		b = protowire.AppendVarint(protowire.AppendTag(b, boolValue, protowire.VarintType), protowire.EncodeBool(v.AsBool()))
	case attribute.INT64:
		b = protowire.AppendVarint(protowire.AppendTag(b, intValue, protowire.VarintType), uint64(v.AsInt64()))
	case attribute.FLOAT64:
		b = protowire.AppendFixed64(protowire.AppendTag(b, doubleValue, protowire.Fixed64Type), math.Float64bits(v.AsFloat64()))
	case attribute.STRING:
		b = appendTextAlways(b, stringValue, v.AsString())
	case attribute.BYTESLICE:
		b = appendBytes(b, bytesValue, v.AsByteSlice())
	case attribute.MAP:
		b = enclose(appendAttributes(b, elementsOf, v.AsMap()), start, mapValue)
	case attribute.BOOLSLICE:
		b = appendArray(b, v.AsBoolSlice(), attribute.BoolValue)
	case attribute.INT64SLICE:
		b = appendArray(b, v.AsInt64Slice(), attribute.Int64Value)
	case attribute.FLOAT64SLICE:
		b = appendArray(b, v.AsFloat64Slice(), attribute.Float64Value)
	case attribute.STRINGSLICE:
		b = appendArray(b, v.AsStringSlice(), attribute.StringValue)
	case attribute.SLICE:
		b = appendArray(b, v.AsSlice(), func(v attribute.Value) attribute.Value { return v })
	}
	return enclose(b, start, field)
}

func appendArray[T any](b []byte, values []T, of func(T) attribute.Value) []byte {
	start := len(b)
	for _, value := range values {
		b = appendValue(b, elementsOf, of(value))
	}
	return enclose(b, start, arrayValue)
}
