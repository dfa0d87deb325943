package relay

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"testing"
)

const answered = `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"done"}]}}`

// fixed is a server that costs as little as one can: it looks for the end of the head,
// skips the body and sends the same bytes.
func fixed(b *testing.B, body int) *server {
	said := []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Tue, 03 Jun 2025 10:00:00 GMT\r\n" +
		fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(answered), answered))
	return listen(b, func(p *peer) {
		r := bufio.NewReaderSize(p.Conn, 64<<10)
		for {
			line, err := r.ReadSlice('\n')
			if err != nil {
				return
			}
			if len(line) > 2 {
				continue
			}
			if _, err := r.Discard(body); err != nil {
				return
			}
			if _, err := p.Write(said); err != nil {
				return
			}
		}
	})
}

var sizes = map[string]int{"small": 200, "64KiB": 64 << 10}

func BenchmarkRelay(b *testing.B) {
	for name, size := range sizes {
		b.Run(name, func(b *testing.B) {
			p := fixed(b, size).pool(b)
			body := make([]byte, size)
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				into := make([]byte, 8<<10)
				for pb.Next() {
					r := p.Request(http.MethodPost, "/mcp")
					for _, h := range headers {
						r.Add(h[0], h[1])
					}
					res, err := r.Send(ctx, body, nil)
					if err != nil {
						b.Error(err)
						return
					}
					for err == nil {
						_, err = res.Read(into)
					}
					res.Close()
				}
			})
		})
	}
}

func BenchmarkTransport(b *testing.B) {
	for name, size := range sizes {
		b.Run(name, func(b *testing.B) {
			s := fixed(b, size)
			t := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: maxIdle}
			b.Cleanup(t.CloseIdleConnections)
			body := make([]byte, size)
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				into := make([]byte, 8<<10)
				for pb.Next() {
					r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.Addr().String()+"/mcp", bytes.NewReader(body))
					if err != nil {
						b.Error(err)
						return
					}
					for _, h := range headers {
						r.Header[h[0]] = []string{h[1]}
					}
					res, err := t.RoundTrip(r)
					if err != nil {
						b.Error(err)
						return
					}
					for err == nil {
						_, err = res.Body.Read(into)
					}
					_ = res.Body.Close()
				}
			})
		})
	}
}

var headers = [][2]string{
	{"Accept", "application/json, text/event-stream"}, {"Content-Type", "application/json"}, {"User-Agent", "bench"},
	{"Mcp-Session-Id", "0123456789abcdef"}, {"X-Mcp-Auth-Subject", "alice"}, {"X-Forwarded-For", "192.0.2.1"},
}

// BenchmarkOpenStreams reports the memory that a silent stream holds, beside what the
// server of the benchmark does.
func BenchmarkOpenStreams(b *testing.B) {
	const streams = 400
	said := ok + "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
	s := listen(b, func(p *peer) {
		p.request()
		p.say(said)
		p.drain()
	})
	p := s.pool(b)
	transport := &http.Transport{}
	open := map[string]func(context.Context) (io.Closer, error){
		"relay": func(ctx context.Context) (io.Closer, error) {
			res, err := p.Request(http.MethodGet, "/").Send(ctx, nil, nil)
			return closer{res}, err
		},
		"transport": func(ctx context.Context) (io.Closer, error) {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Addr().String(), nil)
			if err != nil {
				return nil, err
			}
			res, err := transport.RoundTrip(r)
			if err != nil {
				return nil, err
			}
			return res.Body, nil
		},
	}
	for name, open := range open {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				var all []io.Closer
				before := inUse()
				for range streams {
					c, err := open(b.Context())
					if err != nil {
						b.Fatal(err)
					}
					all = append(all, c)
				}
				b.ReportMetric(float64(inUse()-before)/streams, "B/stream")
				for _, c := range all {
					_ = c.Close()
				}
				eventually(b, "the streams are over", func() bool { return s.open.Load() == 0 })
			}
		})
	}
}

type closer struct{ *Response }

func (c closer) Close() error {
	c.Response.Close()
	return nil
}

func inUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
