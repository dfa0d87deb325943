package otlp

import (
	"context"
	"fmt"
	"math"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/mcpauth/mcpauth/audit"
)

// NewLogs returns a sink that sends events as log records, a second after they came
// or when there are some hundred of them. The caller closes it. The error is that
// the endpoint is none.
func NewLogs(o Options) (*audit.Queue, error) {
	p, err := o.poster("v1/logs")
	if err != nil {
		return nil, err
	}
	return audit.NewQueue(newLogs(p, o), audit.QueueOptions{Batch: 128 << 10, Delay: time.Second, Logger: o.Logger}), nil
}

// logs is an audit.Output. A batch is the log_records of a request's one
// ScopeLogs: fields that repeat in a message simply follow one another.
type logs struct {
	poster          *poster
	resource, scope []byte
}

// The fields around log records: resource_logs, resource, scope_logs, scope.
const (
	resourceLogs, resourceOf, scopeLogs, scopeOf protowire.Number = 1, 1, 2, 1
	logRecords                                   protowire.Number = 2
)

func newLogs(p *poster, o Options) *logs {
	return &logs{
		poster:   p,
		resource: enclose(appendAttributes(nil, 1, o.Resource), 0, resourceOf),
		scope:    enclose(appendText(nil, 1, scopeName), 0, scopeOf),
	}
}

// Send implements audit.Output.
func (l *logs) Send(ctx context.Context, batch []byte, n int) (int, error) {
	rejected, err := l.poster.post(ctx, l.head(len(batch)), batch)
	if err != nil {
		return 0, err
	}
	if rejected > 0 {
		return max(0, n-int(min(rejected, int64(n)))), fmt.Errorf("the collector rejected %d of %d audit events", rejected, n)
	}
	return n, nil
}

// head is what comes before so many bytes of log records.
func (l *logs) head(records int) []byte {
	inScope := len(l.scope) + records
	inResource := len(l.resource) + protowire.SizeTag(scopeLogs) + protowire.SizeBytes(inScope)
	b := make([]byte, 0, 32+len(l.resource)+len(l.scope))
	b = protowire.AppendTag(b, resourceLogs, protowire.BytesType)
	b = append(protowire.AppendVarint(b, uint64(inResource)), l.resource...)
	b = protowire.AppendTag(b, scopeLogs, protowire.BytesType)
	return append(protowire.AppendVarint(b, uint64(inScope)), l.scope...)
}

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
	b = appendTextAttribute(b, attributes, "mcpauth.decision", string(e.Decision))
	b = appendTextAttribute(b, attributes, "mcpauth.reason", e.Reason)
	b = appendTextAttribute(b, attributes, "user.id", e.Subject)
	b = appendTextAttribute(b, attributes, "user.email", e.Email)
	b = appendTextAttribute(b, attributes, "mcpauth.organization", e.Organization)
	b = appendTextAttribute(b, attributes, "mcpauth.client", e.Client)
	b = appendTextAttribute(b, attributes, "mcpauth.grant", e.Grant)
	b = appendTextAttribute(b, attributes, "mcpauth.grant_type", e.GrantType)
	b = appendTextAttribute(b, attributes, "mcpauth.resource", e.Resource)
	b = appendTextAttribute(b, attributes, "mcp.method.name", e.Method)
	b = appendTextAttribute(b, attributes, "gen_ai.tool.name", e.Tool)
	b = appendTextAttribute(b, attributes, "gen_ai.prompt.name", e.Prompt)
	b = appendTextAttribute(b, attributes, "mcp.resource.uri", e.URI)
	b = appendNames(b, "mcpauth.argument_names", e.ArgumentNames)
	b = appendTextAttribute(b, attributes, "mcpauth.scope_held", e.ScopeHeld)
	b = appendTextAttribute(b, attributes, "mcpauth.scope_needed", e.ScopeNeeded)
	b = appendTextAttribute(b, attributes, "client.address", e.RemoteAddr)
	b = appendNumberAttribute(b, attributes, "http.response.status_code", int64(e.Status))
	b = appendMilliseconds(b, "mcpauth.duration_ms", e.Duration)
	b = appendNumberAttribute(b, attributes, "http.request.body.size", e.BytesIn)
	b = appendNumberAttribute(b, attributes, "http.response.body.size", e.BytesOut)
	b = appendTextAttribute(b, attributes, "mcpauth.server", e.Server)
	b = appendTextAttribute(b, attributes, "mcpauth.session", e.Session)
	return appendNumberAttribute(b, attributes, "mcpauth.lost", int64(e.Lost))
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
