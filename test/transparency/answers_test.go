package transparency_test

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
)

// sized is an answer whose length is told; headers are whole lines.
func sized(status, body string, headers ...string) string {
	return head(status, append(headers, fmt.Sprintf("Content-Length: %d", len(body)))...) + body
}

// chunked is an answer whose length is not told.
func chunked(status, body string, headers ...string) string {
	return head(status, append(headers, "Transfer-Encoding: chunked")...) + chunks(body) + "0\r\n\r\n"
}

func head(status string, headers ...string) string {
	return "HTTP/1.1 " + status + "\r\n" + strings.Join(headers, "\r\n") + "\r\n\r\n"
}

// chunks cuts a text in two where it can.
func chunks(text string) string {
	var all strings.Builder
	for _, part := range []string{text[:len(text)/2], text[len(text)/2:]} {
		if part != "" {
			fmt.Fprintf(&all, "%x\r\n%s\r\n", len(part), part)
		}
	}
	return all.String()
}

const (
	jsonType  = "Content-Type: application/json"
	eventType = "Content-Type: text/event-stream"
	// odd is JSON that another program would not write in this way.
	odd = "{ \"jsonrpc\":\"2.0\" ,\"id\":1,\"result\":{\"n\":1e400,\"big\":12345678901234567890," +
		"\"s\":\"\\u0041\\/<>&\\ud83d\\ude00\",\"s\":\"twice\", \"empty\":{ }}}\n\n"
	// list is one too, and a list of which this caller may see everything.
	list = "{\"jsonrpc\" : \"2.0\",\"id\":1.0,\"result\":{\"tools\":[ {\"name\":\"a\\u0062\",\"inputSchema\":{\"x\":1.50}},\t{\"inputSchema\":{},\"name\":\"z\"}]," +
		"\"nextCursor\":\"\\u003d\",\"_meta\":{\"z\":1,\"a\":2}}}\n"
	// zipped is a gzip file of nothing.
	zipped = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x01\x00\x00\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00"
)

// answers are what MCP servers, and what is around them, may say.
var answers = []struct {
	// method is the JSON-RPC method of the POST; empty asks with GET.
	name, method, answer string
}{
	{"JSON of a told length", "tools/call", sized("200 OK", odd, jsonType)},
	{"JSON of no told length", "tools/call", chunked("200 OK", odd, jsonType)},
	{"JSON that ends with the connection", "tools/call", head("200 OK", jsonType) + odd},
	{"an answer of HTTP 1.0", "tools/call", "HTTP/1.0 200 OK\r\n" + jsonType + "\r\n\r\n" + odd},
	{"JSON of one MiB", "tools/call", chunked("200 OK", strings.Repeat(odd, 1<<20/len(odd)), jsonType)},
	{"JSON of many MiB and a told length", "tools/call", sized("200 OK", strings.Repeat(odd, 12<<20/len(odd)), jsonType)},
	{"a list", "tools/list", sized("200 OK", list, jsonType)},
	{"a list of no told length", "tools/list", chunked("200 OK", list, jsonType+"; charset=utf-8")},
	{"a list as an event", "tools/list", chunked("200 OK", "event: message\r\nid: 1\r\ndata: "+strings.TrimSpace(list)+"\r\n\r\n", eventType)},
	{"an error in place of a list", "tools/list", sized("200 OK", `{"id":1,"jsonrpc":"2.0","error":{"code":-32601,"message":"no"}}`, jsonType)},
	{"a failure in place of a list", "tools/list", sized("503 Service Unavailable", "<h1>away</h1>", "Content-Type: text/html", "Retry-After: 7")},
	{"no list at all", "tools/list", sized("404 Not Found", "")},

	{"accepted, with no body", "notifications/initialized", sized("202 Accepted", "")},
	{"accepted, with a body", "notifications/initialized", sized("202 Accepted", "ok", "Content-Type: text/plain")},
	{"accepted, with no body and no told length", "notifications/initialized", chunked("202 Accepted", "")},
	{"no content", "notifications/initialized", head("204 No Content")},
	{"no content, with headers of one", "notifications/initialized", head("204 No Content", jsonType, "Mcp-Odd: 1")},
	{"created", "tools/call", sized("201 Created", odd, jsonType, "Location: /mcp/created?x=%41#f")},
	{"not modified", "", head("304 Not Modified", `ETag: "x"`, "Last-Modified: Mon, 02 Jan 2006 15:04:05 GMT")},
	{"a redirect", "", sized("307 Temporary Redirect", "", "Location: http://127.0.0.1:1/elsewhere")},
	{"a part", "", sized("206 Partial Content", "abc", "Content-Range: bytes 0-2/9", "Accept-Ranges: bytes")},

	{"400 in JSON-RPC", "tools/call", sized("400 Bad Request", `{"jsonrpc":"2.0","id":null,"error":{"code":-32020,"message":"m"}}`, jsonType)},
	{"401 of the server's own", "tools/call", sized("401 Unauthorized", "", `WWW-Authenticate: Basic realm="a"`, `WWW-Authenticate: Bearer scope="b"`)},
	{"403 of the server's own", "tools/call", sized("403 Forbidden", "no", "Content-Type: text/plain; charset=utf-8", "X-Content-Type-Options: nosniff")},
	{"404 with no body", "tools/call", sized("404 Not Found", "")},
	{"405 for a stream", "", sized("405 Method Not Allowed", "", "Allow: POST, DELETE")},
	{"409 with a page", "tools/call", chunked("409 Conflict", "<!doctype html><p>\x00\xff\xfe", "Content-Type: text/html; charset=iso-8859-1")},
	{"418 of no type", "tools/call", sized("418 I'm a teapot", "short and stout")},
	{"429", "tools/call", sized("429 Too Many Requests", "{", jsonType, "Retry-After: 30", "RateLimit: limit=1")},
	{"500 with no body", "tools/call", sized("500 Internal Server Error", "")},
	{"502 of bytes", "tools/call", chunked("502 Bad Gateway", "\x00\x01\x02\xff", "Content-Type: application/octet-stream")},
	{"503", "", sized("503 Service Unavailable", "later", "Content-Type: text/plain", "Retry-After: Mon, 02 Jan 2006 15:04:05 GMT")},
	{"a status that nobody knows", "tools/call", sized("599 Odd", odd, jsonType)},

	{"a page of no type", "tools/call", sized("200 OK", "<!doctype html><title>x</title>")},
	{"a page of no type and no told length", "", chunked("200 OK", "<!doctype html><title>x</title>")},
	{"an empty type", "tools/call", sized("200 OK", odd, "Content-Type:")},
	{"a type of another spelling", "tools/call", sized("200 OK", odd, `Content-Type: Application/JSON;Charset="UTF-8"`)},
	{"gzip", "tools/call", sized("200 OK", zipped, jsonType, "Content-Encoding: gzip", "Vary: Accept-Encoding")},
	{"gzip of no told length", "tools/call", chunked("200 OK", zipped, eventType, "Content-Encoding: gzip")},
	{"an encoding that nobody knows", "tools/call", sized("200 OK", "\x01\x02", jsonType, "Content-Encoding: odd")},

	{"headers of MCP that nobody knows", "tools/call", sized("200 OK", odd, jsonType, "Mcp-Odd: 1", "MCP-Protocol-Version: 2030-01-01", "mcp-lower: a b", "Mcp-Session: x")},
	{"headers more than once", "tools/call", sized("200 OK", odd, jsonType, "Set-Cookie: a=1; Path=/", "Set-Cookie: b=2", "Link: <a>", "Link: <b>, <c>", "X-Odd: 2", "X-Odd: 1")},
	{"headers of odd values", "tools/call", sized("200 OK", odd, jsonType, "X-Empty:", "X-Latin: caf\xe9", "X-Tabs: a\tb", "X-Long: "+strings.Repeat("x", 8<<10))},
	{"headers about caches and proxies", "tools/call", sized("200 OK", odd, jsonType, "Cache-Control: no-store, private", "Age: 3", "Expires: 0",
		"Pragma: no-cache", `ETag: W/"a"`, "Server: uvicorn", "Via: 1.1 x", "X-Accel-Buffering: no", "Alt-Svc: clear", "Strict-Transport-Security: max-age=1")},

	{"a trailer that was announced", "tools/call", head("200 OK", jsonType, "Transfer-Encoding: chunked", "Trailer: X-Sum") +
		chunks(odd) + "0\r\nX-Sum: 7\r\n\r\n"},
	{"a trailer that was not announced", "", head("200 OK", eventType, "Transfer-Encoding: chunked") +
		chunks("data: x\n\n") + "0\r\nX-Sum: 7\r\nX-Sum: 8\r\nMcp-Sum: 9\r\n\r\n"},
	{"early hints twice", "tools/call", head("103 Early Hints", "Link: </a>") + head("103 Early Hints", "Link: </b>", "X-Odd: 1") +
		sized("200 OK", odd, jsonType)},
	{"processing", "tools/call", head("102 Processing", "X-Odd: 1") + chunked("200 OK", "data: x\n\n", eventType)},

	{"events and nothing behind them", "tools/call", chunked("200 OK", "data: x\n\n", eventType, "Cache-Control: no-cache")},
	{"an event that does not end", "", chunked("200 OK", "id: 1\ndata: x\n\ndata: un", eventType)},
	{"a stream without an event", "", chunked("200 OK", "", eventType)},
}

func TestAnAnswerIsTheServersByteForByte(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	sides := u.sides(t)
	for _, test := range answers {
		t.Run(test.name, func(t *testing.T) {
			path := u.handle(test.name, verbatim(test.answer))
			asked := request(t, http.MethodGet, path, "Accept: text/event-stream")
			if test.method != "" {
				asked = post(t, path, message(test.method))
			}
			want := exchange(t, u.address(), asked)
			for _, side := range sides {
				compare(t, side.name, want, exchange(t, side.address, asked))
			}
		})
	}
}

func TestAnAnswerThatBreaksOffNeverSeemsWhole(t *testing.T) {
	t.Parallel()
	u := newUpstream(t)
	sides := u.sides(t)
	const promised = "Content-Length: 100"
	tests := []struct{ name, method, answer string }{
		{"JSON shorter than promised", "tools/call", head("200 OK", jsonType, promised) + odd[:20]},
		{"a list shorter than promised", "tools/list", head("200 OK", jsonType, promised) + list[:20]},
		{"a list that is whole but for its end", "tools/list", head("200 OK", jsonType, fmt.Sprintf("Content-Length: %d", len(list)+1)) + list},
		{"an error shorter than promised", "tools/call", head("500 Internal Server Error", promised) + "Oh"},
		{"no byte of what was promised", "tools/call", head("200 OK", jsonType, promised)},
		{"between chunks", "tools/call", head("200 OK", jsonType, "Transfer-Encoding: chunked") + chunks(odd)},
		{"between the chunks of a list", "tools/list", head("200 OK", jsonType, "Transfer-Encoding: chunked") + chunks(list)},
		{"within a chunk", "tools/call", head("200 OK", jsonType, "Transfer-Encoding: chunked") + "ff\r\n{"},
		{"at something that is no chunk", "tools/call", head("200 OK", jsonType, "Transfer-Encoding: chunked") + chunks(odd) + "odd\r\n"},
		{"between events", "tools/call", head("200 OK", eventType, "Transfer-Encoding: chunked") + chunks("data: x\n\n")},
		{"between the events of a list", "tools/list", head("200 OK", eventType, "Transfer-Encoding: chunked") + chunks("data: x\n\n")},
		{"between the events of a stream", "", head("200 OK", eventType, "Transfer-Encoding: chunked") + chunks("data: x\n\n")},
		{"within an event", "", head("200 OK", eventType, "Transfer-Encoding: chunked") + chunks("id: 1\ndata: x\n\ndata: un")},
	}
	ends := []struct {
		name string
		last func(*net.TCPConn)
	}{
		{"with a close", func(*net.TCPConn) {}},
		{"with a reset", func(c *net.TCPConn) { _ = c.SetLinger(0) }},
	}
	for _, test := range tests {
		for _, end := range ends {
			t.Run(test.name+" "+end.name, func(t *testing.T) {
				path := u.handle(test.name+end.name, withConnection(test.answer, end.last))
				asked := request(t, http.MethodGet, path, "Accept: text/event-stream")
				if test.method != "" {
					asked = post(t, path, message(test.method))
				}
				for _, side := range sides {
					got, whole := attempt(t, side.address, asked)
					if whole && got.Status < http.StatusInternalServerError {
						t.Errorf("%s: a whole answer: %+v", side.name, got)
					}
				}
			})
		}
	}
}
