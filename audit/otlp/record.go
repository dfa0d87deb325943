package otlp

import (
	"math"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/mcpauth/mcpauth/audit"
)

// Append implements audit.Output.
func (*logs) Append(b []byte, e audit.Event) []byte {
	start := len(b)
	b = appendTime(b, 1, e.Time)
	b = appendTime(b, 11, e.Time)
	number, text := severity(&e)
	b = appendVarint(b, 2, number)
	b = appendText(b, 3, text)
	body := len(b)
	b = enclose(appendText(b, stringValue, e.Type), body, 5)
	b = appendHex(b, 9, e.TraceID, 16)
	b = appendHex(b, 10, e.SpanID, 8)
	b = appendText(b, 12, e.Type)
	return enclose(appendEvent(b, &e), start, logRecords)
}

// severity is that of the data model of OpenTelemetry's logs.
func severity(e *audit.Event) (uint64, string) {
	switch {
	case e.Type == audit.EventsLost:
		return 17, "ERROR"
	case e.Decision == audit.Denied:
		return 13, "WARN"
	default:
		return 9, "INFO"
	}
}

const attributes protowire.Number = 6

// appendEvent appends the attributes. Those that OpenTelemetry has a convention for
// have its names; the others are called like the keys of a line.
func appendEvent(b []byte, e *audit.Event) []byte {
	b = appendTextAttribute(b, "mcpauth.decision", string(e.Decision))
	b = appendTextAttribute(b, "mcpauth.reason", e.Reason)
	b = appendTextAttribute(b, "user.id", e.Subject)
	b = appendTextAttribute(b, "user.email", e.Email)
	b = appendTextAttribute(b, "mcpauth.organization", e.Organization)
	b = appendTextAttribute(b, "mcpauth.client", e.Client)
	b = appendTextAttribute(b, "mcpauth.grant", e.Grant)
	b = appendTextAttribute(b, "mcpauth.grant_type", e.GrantType)
	b = appendTextAttribute(b, "mcpauth.resource", e.Resource)
	b = appendTextAttribute(b, "mcp.method.name", e.Method)
	b = appendTextAttribute(b, "gen_ai.tool.name", e.Tool)
	b = appendTextAttribute(b, "gen_ai.prompt.name", e.Prompt)
	b = appendTextAttribute(b, "mcp.resource.uri", e.URI)
	b = appendNames(b, "mcpauth.argument_names", e.ArgumentNames)
	b = appendTextAttribute(b, "mcpauth.scope_held", e.ScopeHeld)
	b = appendTextAttribute(b, "mcpauth.scope_needed", e.ScopeNeeded)
	b = appendTextAttribute(b, "client.address", e.RemoteAddr)
	b = appendNumberAttribute(b, "http.response.status_code", int64(e.Status))
	b = appendMilliseconds(b, "mcpauth.duration_ms", e.Duration)
	b = appendNumberAttribute(b, "http.request.body.size", e.BytesIn)
	b = appendNumberAttribute(b, "http.response.body.size", e.BytesOut)
	b = appendTextAttribute(b, "mcpauth.server", e.Server)
	b = appendTextAttribute(b, "mcpauth.session", e.Session)
	return appendNumberAttribute(b, "mcpauth.lost", int64(e.Lost))
}

// appendTextAttribute appends an attribute, unless it is empty.
func appendTextAttribute(b []byte, key, value string) []byte {
	if value == "" {
		return b
	}
	start := len(b)
	b = appendText(b, keyOf, key)
	at := len(b)
	b = enclose(appendText(b, stringValue, value), at, valueOf)
	return enclose(b, start, attributes)
}

// appendNumberAttribute appends an attribute, unless it is zero.
func appendNumberAttribute(b []byte, key string, value int64) []byte {
	if value == 0 {
		return b
	}
	start := len(b)
	b = appendText(b, keyOf, key)
	at := len(b)
	b = enclose(appendVarint(b, intValue, uint64(value)), at, valueOf)
	return enclose(b, start, attributes)
}

func appendNames(b []byte, key string, names []string) []byte {
	if len(names) == 0 {
		return b
	}
	start := len(b)
	b = appendText(b, keyOf, key)
	value := len(b)
	for _, name := range names {
		element := len(b)
		b = enclose(appendTextAlways(b, stringValue, name), element, elementsOf)
	}
	b = enclose(enclose(b, value, arrayValue), value, valueOf)
	return enclose(b, start, attributes)
}

func appendMilliseconds(b []byte, key string, d time.Duration) []byte {
	if d == 0 {
		return b
	}
	start := len(b)
	b = appendText(b, keyOf, key)
	value := len(b)
	b = protowire.AppendTag(b, doubleValue, protowire.Fixed64Type)
	b = protowire.AppendFixed64(b, math.Float64bits(float64(d.Microseconds())/1000))
	return enclose(enclose(b, value, valueOf), start, attributes)
}
