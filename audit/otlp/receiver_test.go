package otlp

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/mcpauth/mcpauth/audit"
)

const patience = 20 * time.Second

// receiver is a collector. It takes what OpenTelemetry's own message types can read.
type receiver struct {
	*httptest.Server

	mu       sync.Mutex
	requests int
	logs     []*logspb.ResourceLogs
	spans    []*tracepb.ResourceSpans
	// refuse answers in the receiver's place when it returns true. It is given how
	// many requests there were before.
	refuse func(w http.ResponseWriter, before int) bool
}

func newReceiver(t testing.TB) *receiver {
	r := &receiver{refuse: func(http.ResponseWriter, int) bool { return false }}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/logs", func(w http.ResponseWriter, request *http.Request) {
		var got logspb.LogsData // which is an ExportLogsServiceRequest on the wire
		r.take(w, request, &got, func() { r.logs = append(r.logs, got.ResourceLogs...) })
	})
	mux.HandleFunc("POST /v1/traces", func(w http.ResponseWriter, request *http.Request) {
		var got tracepb.TracesData
		r.take(w, request, &got, func() { r.spans = append(r.spans, got.ResourceSpans...) })
	})
	r.Server = httptest.NewServer(mux)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) take(w http.ResponseWriter, request *http.Request, into proto.Message, keep func()) {
	body, err := io.ReadAll(request.Body)
	if err == nil && request.Header.Get("Content-Type") == "application/x-protobuf" && request.ContentLength == int64(len(body)) {
		err = proto.Unmarshal(body, into)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests++
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	case !r.refuse(w, r.requests-1):
		keep()
	}
}

func (r *receiver) asked() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.requests
}

// records are the log records so far.
func (r *receiver) records() []*logspb.LogRecord {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []*logspb.LogRecord
	for _, resource := range r.logs {
		for _, scope := range resource.ScopeLogs {
			all = append(all, scope.LogRecords...)
		}
	}
	return all
}

func logsTo(t testing.TB, o Options) *audit.Queue {
	t.Helper()
	q, err := NewLogs(o)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func closed(t testing.TB, q *audit.Queue) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := q.Close(ctx); err != nil {
		t.Fatal(err)
	}
}
