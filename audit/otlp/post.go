package otlp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

const (
	firstPause = 500 * time.Millisecond
	longPause  = 10 * time.Second
	maxAnswer  = 64 << 10
)

// poster sends requests to one URL of a collector.
type poster struct {
	client *http.Client
	url    string
	giveUp time.Duration
}

// post sends the request whose body is the parts together. It tries again, with
// growing pauses, what may succeed later (OTLP, section "Failures"), and gives up
// after giveUp or with ctx. It returns how many records the collector rejected of
// those in a request that it took.
func (p *poster) post(ctx context.Context, parts ...[]byte) (rejected int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, p.giveUp)
	defer cancel()
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		rejected, err = p.try(ctx, parts)
		var busy *busyError
		if err == nil || !errors.As(err, &busy) {
			return rejected, err
		}
		wait := busy.after
		if wait == 0 {
			wait = pause/2 + rand.N(pause/2)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return 0, fmt.Errorf("%w, and the time for it is over: %w", err, ctx.Err())
		}
	}
}

// busyError is a failure after which the same request may succeed.
type busyError struct {
	err   error
	after time.Duration // zero: as one likes
}

func (e *busyError) Error() string { return e.err.Error() }
func (e *busyError) Unwrap() error { return e.err }

func (p *poster) try(ctx context.Context, parts [][]byte) (int64, error) {
	r, err := p.request(ctx, parts)
	if err != nil {
		return 0, err
	}
	answer, err := p.client.Do(r)
	if err != nil {
		return 0, &busyError{err: err}
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	switch {
	case answer.StatusCode/100 == 2 && err == nil:
		return rejections(body), nil
	case answer.StatusCode/100 == 2:
		// It has been taken; only how many were rejected is not known.
		return 0, nil
	}
	err = fmt.Errorf("the collector at %s answered %s", p.url, answer.Status)
	switch answer.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return 0, &busyError{err: err, after: retryAfter(answer.Header)}
	}
	return 0, err
}

func (p *poster) request(ctx context.Context, parts [][]byte) (*http.Request, error) {
	body := func() (io.ReadCloser, error) {
		readers := make([]io.Reader, len(parts))
		for i, part := range parts {
			readers[i] = bytes.NewReader(part)
		}
		return io.NopCloser(io.MultiReader(readers...)), nil
	}
	first, _ := body()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, first)
	if err != nil {
		return nil, fmt.Errorf("make a request to the collector: %w", err)
	}
	r.GetBody = body // so that a connection that the collector closed meanwhile is no failure
	for _, part := range parts {
		r.ContentLength += int64(len(part))
	}
	r.Header.Set("Content-Type", "application/x-protobuf")
	r.Header.Set("User-Agent", "mcpauth")
	return r, nil
}

// retryAfter reads the seconds of a Retry-After (RFC 9110, section 10.2.3).
func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(min(seconds, 3600)) * time.Second
}

// rejections reads partial_success (1) and in it rejected_log_records or
// rejected_spans (1) of an answer.
func rejections(answer []byte) int64 {
	for len(answer) > 0 {
		field, kind, n := protowire.ConsumeTag(answer)
		if n < 0 {
			return 0
		}
		answer = answer[n:]
		if n = protowire.ConsumeFieldValue(field, kind, answer); n < 0 {
			return 0
		}
		if field == 1 && kind == protowire.BytesType {
			partial, _ := protowire.ConsumeBytes(answer)
			return rejections(partial)
		}
		if field == 1 && kind == protowire.VarintType {
			rejected, _ := protowire.ConsumeVarint(answer)
			return max(0, int64(rejected))
		}
		answer = answer[n:]
	}
	return 0
}
