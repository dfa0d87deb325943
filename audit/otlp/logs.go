package otlp

import (
	"context"
	"fmt"
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
