package sidecar

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/policy"
)

// The attacks of attacks_test.go by the ways that were added since: the transport of HTTP
// with SSE, lists that are looked at, and connections of our own to the MCP server.

// legacyOfAlice is a sidecar in front of a server of HTTP with SSE in which alice has opened
// a stream that posts to /messages with this query.
func legacyOfAlice(t *testing.T, query string) *bench {
	t.Helper()
	b := protect(t, messagePath)
	b.sidecar.sessions.bind(endpointSession(query), &accesstoken.Claims{Issuer: testIssuer, Subject: "alice"})
	return b
}

// messagePath has clients of HTTP with SSE post to /messages.
func messagePath(p *policy.Policy) { p.Upstream.MessagePath, p.FilterLists = "/messages", true }

func TestAttack25_ForgedTokensOnTheLegacyPath(t *testing.T) {
	b := protect(t, messagePath)
	honest := signWith(t, ring().Active())
	for name, bad := range map[string]string{
		"alg none":             craft(t, jwsHeader(map[string]any{"alg": "none"}), jwsClaims(nil), func([]byte) []byte { return nil }),
		"a kid of 5,000 bytes": craft(t, jwsHeader(map[string]any{"kid": strings.Repeat("k", 5000)}), jwsClaims(nil), honest),
		"another resource":     craft(t, jwsHeader(nil), jwsClaims(map[string]any{"aud": "https://other.example"}), honest),
		"expired":              craft(t, jwsHeader(nil), jwsClaims(map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}), honest),
	} {
		t.Run(name, func(t *testing.T) {
			wantStatus(t, b.post(t, bad, call("get_task"), at("/messages?sessionId=1")), 401)
			wantStatus(t, b.do(t, http.MethodGet, "/messages", bad), 401)
		})
	}
	b.untouched(t)
}

func TestAttack28_TokensInOtherPlacesOfEveryMethod(t *testing.T) {
	b := protect(t, messagePath)
	good := token(t, "todo:read")
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		for _, path := range []string{testPath, "/messages"} {
			wantStatus(t, b.do(t, method, path+"?access_token="+good, ""), 401)
			wantStatus(t, b.do(t, method, path+"?access_token="+good, good), 400)
			wantStatus(t, b.do(t, method, path+"?sessionId="+good, good), 400)
			wantStatus(t, b.do(t, method, path, "", header("Cookie", "access_token="+good)), 401)
			wantStatus(t, b.do(t, method, path, "", func(r *http.Request) {
				r.Header["Authorization"] = []string{"Bearer " + good, "Bearer " + good}
			}), 400)
		}
	}
	b.untouched(t)
}

func TestAttack29_IdentityHeaderSmugglingByEveryWay(t *testing.T) {
	list := list("tools")
	for name, head := range map[string]string{
		"a stream":           "GET " + testPath,
		"the session's end":  "DELETE " + testPath,
		"a list":             "POST " + testPath,
		"the legacy path":    "POST /messages?sessionId=1",
		"a path below":       "POST " + testPath + "/below",
		"a stream resumed":   "GET " + testPath + "?lastEventId=7",
		"a legacy GET":       "GET /messages",
		"below with a slash": "GET " + testPath + "/",
	} {
		t.Run(name, func(t *testing.T) {
			b := legacyOfAlice(t, "sessionId=1")
			body, framing := "", ""
			if strings.HasPrefix(head, "POST") {
				body, framing = list, fmt.Sprintf("Content-Type: application/json\r\nContent-Length: %d\r\n", len(list))
			}
			res := raw(t, b, head+" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+token(t, "todo:read")+"\r\n"+
				"X-Mcp-Auth-Subject: mallory\r\nx-mcp-auth-subject: mallory\r\nX_Mcp_Auth_Subject: mallory\r\nX-MCP-AUTH-SCOPE: mallory\r\n"+
				"Connection: x-mcp-auth-subject, keep-alive\r\nX-Mcp-Auth-Email: mallory\r\nX-Mcp_Auth-Email: mallory\r\n"+framing+"\r\n"+body)
			if res.StatusCode != http.StatusOK {
				t.Fatalf("status %s", res.Status)
			}
			onlyAlice(t, b)
		})
	}
}

func TestAttack30_PathConfusionAroundTheLegacyPath(t *testing.T) {
	b := protect(t, messagePath)
	bearer := token(t, "todo:read todo:write todo:admin")
	for _, target := range []string{
		"/messages/", "//messages", "/messages//", "/messages/..", "/messages/../admin", "/./messages", "/x/../messages", "/messages/.",
		"/messages%2f", "/%6dessages", "/messages%00", "/messages;x=y", "/messages/;/admin", "/messages\\admin", "/messages%5cadmin",
		"/messages#", "/messages%23", "/messages%3fx", "/MESSAGES", "/messages.", "/messagesx", "/message", "/messages/admin",
		"http://evil.example/messages/../admin",
	} {
		t.Run(target, func(t *testing.T) {
			for _, method := range []string{"GET", "POST", "DELETE"} {
				res := raw(t, b, method+" "+target+" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+bearer+
					"\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n")
				if res.StatusCode != http.StatusNotFound && res.StatusCode != http.StatusBadRequest {
					t.Errorf("%s: %s, want 404 or 400", method, res.Status)
				}
			}
		})
	}
	b.untouched(t)
}

func TestAttack31_TheLegacyTransportNeedsATokenForEveryMethod(t *testing.T) {
	b := legacyOfAlice(t, "sessionId=1")
	for _, path := range []string{testPath, "/messages", "/messages?sessionId=1"} {
		for _, method := range []string{http.MethodGet, http.MethodDelete} {
			wantStatus(t, b.do(t, method, path, ""), 401)
		}
		wantStatus(t, b.post(t, "", call("get_task"), at(path)), 401)
		wantStatus(t, b.post(t, token(t, "todo:read"), call("purge"), at(path)), 403)
	}
	b.untouched(t)
}

func TestAttack32_BodyAgainstHeader(t *testing.T) {
	b := protect(t)
	bearer := token(t, "todo:read")
	for name, headers := range map[string]map[string][]string{
		"another name":                  {"Mcp-Name": {"get_task"}},
		"another method":                {"Mcp-Method": {"tools/list"}},
		"both":                          {"Mcp-Name": {"get_task"}, "Mcp-Method": {"tools/call"}},
		"the right one and another":     {"Mcp-Name": {"purge", "get_task"}},
		"another, wrapped":              {"Mcp-Name": {"=?base64?" + base64.StdEncoding.EncodeToString([]byte("get_task")) + "?="}},
		"wrapped without an end":        {"Mcp-Name": {"=?base64?cHVyZ2U="}},
		"an empty name":                 {"Mcp-Name": {""}},
		"the name with space around it": {"Mcp-Method": {"tools/list"}, "Mcp-Name": {" get_task "}},
	} {
		t.Run(name, func(t *testing.T) {
			set := func(r *http.Request) {
				for name, values := range headers {
					r.Header[name] = values
				}
			}
			// To the owner of the scope it is a mistake, and to others no way in.
			got := b.post(t, token(t, "todo:admin"), call("purge"), set)
			wantStatus(t, got, 400)
			if got = b.post(t, bearer, call("purge"), set); got.StatusCode != http.StatusBadRequest && got.StatusCode != http.StatusForbidden {
				t.Errorf("%s", got.Status)
			}
		})
	}
	b.untouched(t)
}

func TestAttack32_WrongEncodings(t *testing.T) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = io.WriteString(z, call("purge"))
	_ = z.Close()
	utf16 := func(text string, mark string) string {
		var b strings.Builder
		b.WriteString(mark)
		for i := range len(text) {
			b.WriteString(text[i:i+1] + "\x00")
		}
		return b.String()
	}
	b := protect(t)
	for _, tt := range []struct {
		name, body string
		header     map[string][]string
		want       int
	}{
		{"gzip that is named", zipped.String(), map[string][]string{"Content-Encoding": {"gzip"}}, 415},
		{"gzip that is named twice", call("get_task"), map[string][]string{"Content-Encoding": {"identity", "gzip"}}, 415},
		{"gzip that is not named", zipped.String(), nil, 400},
		{"UTF-16 that is named", utf16(call("purge"), "\xff\xfe"), map[string][]string{"Content-Type": {"application/json; charset=utf-16"}}, 415},
		{"UTF-16 that is not", utf16(call("purge"), "\xff\xfe"), nil, 400},
		{"UTF-16 without a mark", utf16(call("purge"), ""), nil, 400},
		{"UTF-7", strings.ReplaceAll(call("purge"), `"`, "+ACI-"), map[string][]string{"Content-Type": {"application/json; charset=utf-7"}}, 415},
		{"overlong UTF-8", strings.Replace(call("purge"), "p", "\xc1\xb0", 1), nil, 400},
		{"a lone surrogate", strings.Replace(call("purge"), `"purge"`, `"get_\ud800"`, 1), nil, 400},
		{"a form", "body=" + call("purge"), map[string][]string{"Content-Type": {"application/x-www-form-urlencoded"}}, 415},
		{"parts", call("purge"), map[string][]string{"Content-Type": {"multipart/form-data; boundary=x"}}, 415},
		{"two types", call("get_task"), map[string][]string{"Content-Type": {"application/json", "text/plain"}}, 415},
		{"a list of types", call("get_task"), map[string][]string{"Content-Type": {"application/json, text/plain"}}, 415},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := b.post(t, token(t, "todo:read"), tt.body, func(r *http.Request) {
				for name, values := range tt.header {
					r.Header[name] = values
				}
			})
			wantStatus(t, got, tt.want)
		})
	}
	b.untouched(t)
}

// An answer that holds another answer must not become the next caller's.
func TestAttack32_AnswersThatHideAnAnswer(t *testing.T) {
	const stray = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n\"stray\""
	for name, answer := range map[string]string{
		"behind its length":         "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}" + stray,
		"behind its chunks":         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + stray,
		"behind 202":                "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n" + stray,
		"behind 204":                "HTTP/1.1 204 No Content\r\n\r\n" + stray,
		"behind 304 with a length":  "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n" + stray,
		"length and chunks":         "HTTP/1.1 200 OK\r\nContent-Length: 30\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + stray,
		"two lengths":               "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 40\r\n\r\n{}" + stray,
		"another protocol":          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n" + stray,
		"nine times informational":  strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 9) + stray,
		"a head without an end":     "HTTP/1.1 200 OK\r\n" + strings.Repeat("X-Filler: "+strings.Repeat("x", 1000)+"\r\n", 400),
		"no HTTP at all":            "SSH-2.0-OpenSSH_9.9\r\n",
		"a length that is negative": "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n" + stray,
	} {
		t.Run(name, func(t *testing.T) {
			p := todoPolicy()
			p.Upstream.Port = hostile(t, answer)
			b := newBench(t, p)
			for range 3 {
				r := b.request(t, token(t, "todo:read"), call("get_task"))
				if res, err := (&http.Client{Timeout: patience}).Do(r); err == nil {
					body, _ := io.ReadAll(res.Body)
					_ = res.Body.Close()
					if strings.Contains(string(body), "stray") && res.ContentLength == 7 {
						t.Errorf("%s: the answer within an answer arrived: %s", res.Status, body)
					}
				}
				// What strays has time to arrive, or is there already.
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
}

func TestAttack34_TheTokenReachesTheServerByNoOtherWayEither(t *testing.T) {
	bearer := token(t, "todo:read", func(c *accesstoken.Claims) { c.Subject = "alice" })
	for name, send := range map[string]func(t *testing.T, b *bench) *reply{
		"a list":         func(t *testing.T, b *bench) *reply { return b.post(t, bearer, list("tools")) },
		"a batch":        func(t *testing.T, b *bench) *reply { return b.post(t, bearer, "["+call("get_task")+"]") },
		"the legacy way": func(t *testing.T, b *bench) *reply { return b.post(t, bearer, call("get_task"), at("/messages?x=1")) },
		"a path below":   func(t *testing.T, b *bench) *reply { return b.do(t, http.MethodGet, testPath+"/x", bearer) },
		"as its session": func(t *testing.T, b *bench) *reply { return b.post(t, bearer, call("get_task"), within(bearer)) },
		"by another scheme's case": func(t *testing.T, b *bench) *reply {
			return b.post(t, "", call("get_task"), header("Authorization", "bEARER   "+bearer))
		},
		"within other headers": func(t *testing.T, b *bench) *reply {
			return b.post(t, bearer, call("get_task"), func(r *http.Request) {
				r.Header["Cookie"] = []string{"a=b; t=" + bearer, "c=d"}
				r.Header.Set("Baggage", "t="+bearer)
				r.Header.Set("Tracestate", "t="+bearer)
				r.Header.Set("Referer", "https://x.example/?t="+bearer)
				r.Header.Set("Last-Event-Id", bearer)
				r.Header.Set("User-Agent", "agent "+bearer)
				r.Header.Set("Mcp-Param-X", "=?base64?"+bearer+"?=")
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := legacyOfAlice(t, "x=1")
			got := send(t, b)
			if got.StatusCode != http.StatusOK {
				t.Fatalf("%s %s", got.Status, got.body)
			}
			r, body := b.last(t)
			seen := string(encodeJSON(t, map[string]any{"header": r.Header, "uri": r.RequestURI, "trailer": r.Trailer, "body": body}))
			if strings.Contains(seen, bearer) || strings.Contains(seen, strings.Split(bearer, ".")[2]) || r.Header.Get("Authorization") != "" {
				t.Errorf("the token came through: %s", seen)
			}
			stop(t, b)
			if strings.Contains(b.audits.String()+b.logs.String(), bearer) {
				t.Error("the token was written down")
			}
		})
	}
}
