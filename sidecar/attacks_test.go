package sidecar

import (
	"bufio"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/oauth/keyring"
	"github.com/mcpauth/mcpauth/policy"
)

// jwsClaims are the claims of a valid token, as a forger copies them.
func jwsClaims(change map[string]any) map[string]any {
	claims := map[string]any{
		"iss": testIssuer, "sub": "alice", "aud": []string{testResource}, "client_id": "agent", "jti": "j",
		"scope": "todo:read", "iat": time.Now().Add(-time.Minute).Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	for name, value := range change {
		claims[name] = value
	}
	return claims
}

func jwsHeader(change map[string]any) map[string]any {
	header := map[string]any{"alg": "RS256", "typ": "at+jwt", "kid": ring().Active().KeyID()}
	for name, value := range change {
		header[name] = value
	}
	return header
}

// craft makes a JWS by hand; sign gets what is signed.
func craft(t *testing.T, header, claims map[string]any, sign func([]byte) []byte) string {
	t.Helper()
	enc := base64.RawURLEncoding
	input := enc.EncodeToString(encodeJSON(t, header)) + "." + enc.EncodeToString(encodeJSON(t, claims))
	return input + "." + enc.EncodeToString(sign([]byte(input)))
}

func signWith(t *testing.T, key *keyring.Key) func([]byte) []byte {
	return func(input []byte) []byte {
		signature, err := key.Sign(input)
		if err != nil {
			t.Fatal(err)
		}
		return signature
	}
}

// refusesToken sends the token with every method and demands 401 and an untouched
// MCP server.
func refusesToken(t *testing.T, b *bench, bearer string) {
	t.Helper()
	for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
		got := b.do(t, method, testPath, bearer)
		if method == http.MethodPost {
			got = b.post(t, bearer, call("get_task"))
		}
		if got.StatusCode != http.StatusUnauthorized || !strings.Contains(got.challenge(), `error="invalid_token"`) {
			t.Errorf("%s: %s %s", method, got.Status, got.challenge())
		}
	}
	b.untouched(t)
}

func TestAttack25_ForgedSignatures(t *testing.T) {
	active := ring().Active()
	honest := signWith(t, active)
	public, ok := active.Public().Key.(*rsa.PublicKey)
	if !ok {
		t.Fatal("the ring's key is not RSA")
	}
	foreignRing, err := keyring.New(keyring.RS256, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	foreign := foreignRing.Active()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	hs256 := func(secret []byte) func([]byte) []byte {
		return func(input []byte) []byte {
			mac := hmac.New(sha256.New, secret)
			mac.Write(input)
			return mac.Sum(nil)
		}
	}
	none := func([]byte) []byte { return nil }
	inPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	foreignKey := foreign.Public()
	tests := []struct {
		name   string
		header map[string]any
		sign   func([]byte) []byte
	}{
		{"alg none", map[string]any{"alg": "none"}, none},
		{"alg None", map[string]any{"alg": "None"}, none},
		{"alg nOnE with a signature", map[string]any{"alg": "nOnE"}, honest},
		{"alg empty", map[string]any{"alg": ""}, honest},
		{"HS256 keyed with the public key in PEM", map[string]any{"alg": "HS256"}, hs256(inPEM)},
		{"HS256 keyed with the public key in DER", map[string]any{"alg": "HS256"}, hs256(der)},
		{"PS256 over a PKCS#1 signature", map[string]any{"alg": "PS256"}, honest},
		{"a jwk of its own", map[string]any{"jwk": &foreignKey}, signWith(t, foreign)},
		{"a jwk of its own, honestly signed", map[string]any{"jwk": &foreignKey}, honest},
		{"a jku", map[string]any{"jku": "http://127.0.0.1:1/keys"}, honest},
		{"an x5u", map[string]any{"x5u": "http://127.0.0.1:1/cert"}, honest},
		{"an x5c", map[string]any{"x5c": []string{base64.StdEncoding.EncodeToString(der)}}, honest},
		{"a crit", map[string]any{"crit": []string{"exp"}, "exp": 1}, honest},
		{"a foreign key under our kid", nil, signWith(t, foreign)},
		{"a foreign kid", map[string]any{"kid": foreign.KeyID()}, signWith(t, foreign)},
		{"no kid", map[string]any{"kid": ""}, honest},
		{"a kid of 5,000 bytes", map[string]any{"kid": strings.Repeat("k", 5000)}, honest},
		{"a kid that is a path", map[string]any{"kid": "../../dev/null"}, honest},
		{"no signature", nil, none},
	}
	b := protect(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			refusesToken(t, b, craft(t, jwsHeader(tt.header), jwsClaims(nil), tt.sign))
		})
	}
	t.Run("the honest one passes", func(t *testing.T) {
		good := protect(t)
		wantStatus(t, good.post(t, craft(t, jwsHeader(nil), jwsClaims(nil), honest), call("get_task")), 200)
	})
}

func TestAttack25_TamperedParts(t *testing.T) {
	b := protect(t)
	good := token(t, "todo:read")
	parts := strings.Split(good, ".")
	wider := base64.RawURLEncoding.EncodeToString(encodeJSON(t, jwsClaims(map[string]any{"scope": "todo:admin"})))
	for name, bad := range map[string]string{
		"another payload":      parts[0] + "." + wider + "." + parts[2],
		"a shorter signature":  strings.TrimSuffix(good, good[len(good)-8:]),
		"no signature part":    parts[0] + "." + parts[1],
		"an empty signature":   parts[0] + "." + parts[1] + ".",
		"a fourth part":        good + "." + parts[2],
		"five parts, as a JWE": good + "." + parts[1] + "." + parts[2],
		"padding":              good + "==",
		"two dots":             "..",
		"a token of 20 KiB":    parts[0] + "." + strings.Repeat("A", 20<<10) + "." + parts[2],
	} {
		t.Run(name, func(t *testing.T) { refusesToken(t, b, bad) })
	}
}

func TestAttack26_TokensWithRandomKeyIDsCauseBoundedFetches(t *testing.T) {
	source := &issuerTransport{body: string(encodeJSON(t, ring().JWKS()))}
	live := &Live{Transport: source}
	b := protect(t)
	if err := live.Apply(t.Context(), b.policy); err != nil {
		t.Fatal(err)
	}
	b.sidecar.options.Keys = live
	honest := signWith(t, ring().Active())
	for i := range 300 {
		bad := craft(t, jwsHeader(map[string]any{"kid": fmt.Sprintf("random-%d", i)}), jwsClaims(nil), honest)
		wantStatus(t, b.post(t, bad, call("get_task")), http.StatusUnauthorized)
	}
	b.untouched(t)
	// The first fetch, a burst of three, and one for every 10 s, of which a slow
	// machine may take a few.
	if got := source.fetches.Load(); got > 10 {
		t.Errorf("300 invented key ids caused %d fetches", got)
	}
	wantStatus(t, b.post(t, token(t, "todo:read"), call("get_task")), 200)
}

func TestAttack27_TokensThatAreNotForUs(t *testing.T) {
	past := time.Now().Add(-time.Hour).Unix()
	tests := []struct {
		name           string
		header, claims map[string]any
	}{
		{"another resource", nil, map[string]any{"aud": "https://other.example/mcp"}},
		{"our resource as a prefix", nil, map[string]any{"aud": testResource + "/"}},
		{"our resource in another case", nil, map[string]any{"aud": "https://MCP.example.com/public/mcp"}},
		{"the client as audience", nil, map[string]any{"aud": "agent"}},
		{"no audience", nil, map[string]any{"aud": []string{}}},
		{"another issuer", nil, map[string]any{"iss": "https://auth.example.com/resources/apps-other"}},
		{"the root issuer", nil, map[string]any{"iss": "https://auth.example.com"}},
		{"our issuer with a slash", nil, map[string]any{"iss": testIssuer + "/"}},
		{"expired", nil, map[string]any{"exp": past}},
		{"never expiring", nil, map[string]any{"exp": 0}},
		{"from the future", nil, map[string]any{"iat": time.Now().Add(time.Hour).Unix()}},
		{"not before later", nil, map[string]any{"nbf": time.Now().Add(time.Hour).Unix()}},
		{"without subject", nil, map[string]any{"sub": ""}},
		{"an ID token", map[string]any{"typ": "JWT"}, map[string]any{"nonce": "n"}},
		{"no type", map[string]any{"typ": ""}, nil},
		{"a logout token", map[string]any{"typ": "logout+jwt"}, nil},
		{"an ID-JAG", map[string]any{"typ": "oauth-id-jag+jwt"}, nil},
		{"a refresh token's type", map[string]any{"typ": "rt+jwt"}, nil},
	}
	b := protect(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			refusesToken(t, b, craft(t, jwsHeader(tt.header), jwsClaims(tt.claims), signWith(t, ring().Active())))
		})
	}
}

func TestAttack28_TokensInOtherPlaces(t *testing.T) {
	b := protect(t)
	good := token(t, "todo:read")
	t.Run("two Authorization headers", func(t *testing.T) {
		for _, headers := range [][]string{{"Bearer " + good, "Bearer " + good}, {"Bearer " + good, "Basic YTpi"}, {"", "Bearer " + good}} {
			got := b.post(t, "", call("get_task"), func(r *http.Request) { r.Header["Authorization"] = headers })
			wantStatus(t, got, http.StatusBadRequest)
		}
	})
	t.Run("header and query", func(t *testing.T) {
		for _, query := range []string{"access_token=" + good, "access%5Ftoken=" + good, "t=" + good, "access_token=other"} {
			got := b.post(t, good, call("get_task"), func(r *http.Request) { r.URL.RawQuery = query })
			wantStatus(t, got, http.StatusBadRequest)
		}
	})
	for name, change := range map[string]func(*http.Request){
		"query":               func(r *http.Request) { r.URL.RawQuery = "access_token=" + good },
		"cookie":              header("Cookie", "access_token="+good+"; Authorization=Bearer "+good),
		"X-Authorization":     header("X-Authorization", "Bearer "+good),
		"underscore":          func(r *http.Request) { r.Header["Authorization_"] = []string{"Bearer " + good} },
		"Proxy-Authorization": header("Proxy-Authorization", "Bearer "+good),
		"forwarded token":     header("X-Forwarded-Access-Token", good),
		"user information": func(r *http.Request) {
			r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(good+":")))
		},
		"form body": func(r *http.Request) {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader("access_token="+good)), -1
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := b.post(t, "", call("get_task"), change)
			wantStatus(t, got, http.StatusUnauthorized)
			if strings.Contains(got.challenge(), "error=") {
				t.Errorf("no token was sent where tokens are sent, but the challenge names an error: %s", got.challenge())
			}
		})
	}
	b.untouched(t)
}

func TestAttack29_IdentityHeaderSmuggling(t *testing.T) {
	// What the client sends as raw header lines, and what must not come through.
	lines := []string{
		"X-Mcp-Auth-Subject: mallory", "x-mcp-auth-subject: mallory", "X-MCP-AUTH-SUBJECT: mallory",
		"X_Mcp_Auth_Subject: mallory", "X-Mcp_Auth-Subject: mallory", "x_mcp_auth_email: mallory",
		"X-Mcp-Auth-Subject: a\r\nX-Mcp-Auth-Subject: mallory", "X.Mcp.Auth.Subject: mallory",
		"X-Mcp-Auth-Groups: mallory", "X_Mcp_Auth_Scope: mallory", "X-Mcp-Auth-: mallory",
		"Connection: X-Mcp-Auth-Subject, X-Mcp-Auth-Scope", "Connection: close, x-mcp-auth-email",
	}
	for _, line := range lines {
		t.Run(line, func(t *testing.T) {
			b := protect(t)
			body := call("get_task")
			res := raw(t, b, "POST "+testPath+" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"+
				"Authorization: Bearer "+token(t, "todo:read")+"\r\n"+line+"\r\n"+
				fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body))
			if res.StatusCode != http.StatusOK {
				t.Fatalf("status %s", res.Status)
			}
			onlyAlice(t, b)
		})
	}
	t.Run("in a trailer", func(t *testing.T) {
		b := protect(t)
		body := call("get_task")
		res := raw(t, b, "POST "+testPath+" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"+
			"Authorization: Bearer "+token(t, "todo:read")+"\r\nTrailer: X-Mcp-Auth-Subject\r\nTransfer-Encoding: chunked\r\n\r\n"+
			fmt.Sprintf("%x\r\n%s\r\n0\r\nX-Mcp-Auth-Subject: mallory\r\n\r\n", len(body), body))
		if res.StatusCode != http.StatusOK {
			t.Fatalf("status %s", res.Status)
		}
		onlyAlice(t, b)
	})
}

// onlyAlice demands that what reached the MCP server is the token's identity.
func onlyAlice(t *testing.T, b *bench) {
	t.Helper()
	r, _ := b.last(t)
	want := map[string]string{HeaderSubject: "alice", HeaderEmail: "alice@example.com", HeaderScope: "todo:read", HeaderClient: "agent", HeaderOrganization: "example"}
	for name, value := range want {
		if got := r.Header.Values(name); !slices.Equal(got, []string{value}) {
			t.Errorf("%s = %q, want %q alone", name, got, value)
		}
	}
	for name, values := range r.Header {
		if strings.Contains(strings.Join(values, " "), "mallory") {
			t.Errorf("%s: %q came through", name, values)
		}
	}
	for name := range r.Trailer {
		t.Errorf("the trailer %s came through", name)
	}
}

// raw writes bytes as they are and reads one response.
func raw(t *testing.T, b *bench, request string) *http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("read the response: %v", err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

func TestAttack30_PathConfusion(t *testing.T) {
	targets := []string{
		"/", "/mcp", "/admin", "//public/mcp", "/public//mcp", "/public/mcp//", "/public/mcp//admin",
		"/public/mcp/..", "/public/mcp/../admin", "/public/mcp/../../admin", "/public/./mcp", "/x/../public/mcp",
		"/public/mcp/.", "/public/mcp/./admin", "/public/mcp/%2e%2e/admin", "/public/mcp/%2E%2E", "/public/mcp/..%2fadmin",
		"/public%2fmcp", "/public%2Fmcp", "/public/mcp%2fadmin", "/public/mcp/%2fadmin", "/public/mcp%00", "/public/mcp/%00",
		"/public/mcp;x=y", "/public/mcp/;/admin", "/public/mcp/..;/admin", "/public/mcp\\admin", "/public/mcp/\\..\\admin", "/public/mcp%5cadmin",
		"/public/mcp#", "/public/mcp#/../admin", "/public/mcp%23", "/public/mcp%3fx", "/public/mcp/%252e%252e/admin",
		"/PUBLIC/MCP", "/public/mcp.", "/public/mcp%20", "/public/mcpadmin", "/p%75blic/mcp",
		"http://evil.example/admin", "http://evil.example/public/mcp/../admin", "*",
		"/healthz", "/metrics", "/readyz",
	}
	bearer := token(t, "todo:read todo:write todo:admin")
	b := protect(t)
	for _, target := range targets {
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

func TestAttack30_ForwardedAndOverridingHeaders(t *testing.T) {
	b := protect(t)
	lies := map[string]string{
		"X-Forwarded-Uri": "/admin", "X-Original-Url": "/admin", "X-Rewrite-Url": "/admin", "X-Forwarded-Prefix": "/admin",
		"X-Http-Method-Override": "DELETE", "X-Method-Override": "DELETE", "X-Forwarded-User": "root", "X-Forwarded-Email": "root@example.com",
		"X-Forwarded-For": "127.0.0.1, 10.0.0.1", "X-Real-Ip": "10.0.0.1", "Forwarded": "for=10.0.0.1",
	}
	wantStatus(t, b.post(t, token(t, "todo:read"), call("get_task"), func(r *http.Request) {
		for name, value := range lies {
			r.Header.Set(name, value)
		}
	}), 200)
	r, _ := b.last(t)
	for name, value := range lies {
		if r.Header.Get(name) == value {
			t.Errorf("%s: %s came through", name, value)
		}
	}
}

func TestAttack30_NoUserAgentIsTrusted(t *testing.T) {
	b := protect(t)
	for _, agent := range []string{"kube-probe/1.37", "GoogleHC/1.0", "ELB-HealthChecker/2.0", "curl/8"} {
		wantStatus(t, b.post(t, "", call("get_task"), header("User-Agent", agent)), http.StatusUnauthorized)
		wantStatus(t, b.do(t, http.MethodGet, testPath, "", header("User-Agent", agent)), http.StatusUnauthorized)
	}
	b.untouched(t)
}

func TestAttack30_ProtocolUpgradesDoNotOpenATunnel(t *testing.T) {
	b := protect(t)
	answered := "websocket"
	b.handler = func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" || strings.Contains(strings.ToLower(r.Header.Get("Connection")), "upgrade") {
			t.Errorf("the MCP server was asked to switch protocols: %v", r.Header)
		}
		w.Header().Set("Connection", "Upgrade")
		if answered != "" {
			w.Header().Set("Upgrade", answered)
		}
		w.WriteHeader(http.StatusSwitchingProtocols)
	}
	for _, protocol := range []string{"websocket", "h2c", "anything"} {
		if protocol == "anything" {
			answered = ""
		}
		res := raw(t, b, "GET "+testPath+" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+token(t, "todo:read")+
			"\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\nUpgrade: "+protocol+"\r\n\r\n")
		if res.StatusCode != http.StatusBadGateway {
			t.Errorf("%s: %s, want 502", protocol, res.Status)
		}
	}
}

func TestAttack31_GetAndDeleteNeedAToken(t *testing.T) {
	b := protect(t)
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		for _, path := range []string{testPath, testPath + "/", testPath + "/messages"} {
			got := b.do(t, method, path, "", header("Mcp-Session-Id", "stolen"))
			wantStatus(t, got, http.StatusUnauthorized)
		}
	}
	b.untouched(t)
}

func TestAttack32_BodiesThatHideAnOperation(t *testing.T) {
	nested := strings.Repeat("[", 5000) + strings.Repeat("]", 5000)
	tests := []struct {
		name string
		body string
		want int
	}{
		{"a batch with one forbidden element", "[" + call("get_task") + "," + call("get_task") + "," + call("purge") + "]", 403},
		{"a batch in a batch", "[[" + call("purge") + "]]", 400},
		{"a forbidden notification in a batch", `[` + call("get_task") + `,{"method":"tools/call","params":{"name":"purge"}}]`, 403},
		{"method twice", `{"id":1,"method":"tools/list","method":"tools/call","params":{"name":"purge"}}`, 400},
		{"method twice, the good one last", `{"id":1,"method":"tools/call","params":{"name":"purge"},"method":"tools/list"}`, 400},
		{"name twice", `{"id":1,"method":"tools/call","params":{"name":"get_task","name":"purge"}}`, 400},
		{"name twice, one escaped", `{"id":1,"method":"tools/call","params":{"name":"get_task","n\u0061me":"purge"}}`, 400},
		{"params twice", `{"id":1,"method":"tools/call","params":{"name":"get_task"},"params":{"name":"purge"}}`, 400},
		{"Method beside method", `{"id":1,"method":"tools/list","Method":"tools/call","params":{"name":"purge"}}`, 400},
		{"Name beside name", `{"id":1,"method":"tools/call","params":{"name":"get_task","Name":"purge"}}`, 400},
		{"PARAMS beside params", `{"id":1,"method":"tools/call","params":{"name":"get_task"},"PARAMS":{"name":"purge"}}`, 400},
		{"method in another case", `{"id":1,"method":"Tools/Call","params":{"name":"purge"}}`, 403},
		{"a request that poses as a response", `{"id":1,"result":{},"method":"tools/call","params":{"name":"purge"}}`, 400},
		{"two values", `{"id":1,"method":"ping"}` + "\n" + call("purge"), 400},
		{"deep nesting", `{"id":1,"method":"tools/call","params":{"name":"get_task","arguments":` + nested + `}}`, 400},
		{"10 MiB", `{"id":1,"method":"tools/call","params":{"name":"get_task","arguments":"` + strings.Repeat("x", 10<<20) + `"}}`, 413},
		{"a name with a null", `{"id":1,"method":"tools/call","params":{"name":"get_task\u0000purge"}}`, 400},
		{"a byte order mark", "\ufeff" + call("purge"), 400},
		{"invalid UTF-8", strings.Replace(call("get_task"), "hunter2", "\xff", 1), 400},
		{"UTF-16", "{\x00\"\x00i\x00d\x00\"\x00}\x00", 400},
		{"nothing", "", 400},
	}
	b := protect(t)
	bearer := token(t, "todo:read")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := b.request(t, bearer, tt.body)
			// The server stops reading what is too large, and the client may hear
			// of that as a failed write.
			r.Header.Set("Expect", "100-continue")
			wantStatus(t, b.send(t, r), tt.want)
		})
	}
	t.Run("10 MiB in chunks", func(t *testing.T) {
		huge := `{"id":1,"method":"tools/call","params":{"name":"get_task","arguments":"` + strings.Repeat("x", 10<<20) + `"}}`
		status := make(chan int, 1)
		b := protect(t)
		b.handler = func(http.ResponseWriter, *http.Request) { status <- 0 }
		r := b.request(t, bearer, huge)
		r.ContentLength = -1
		if res, err := http.DefaultTransport.RoundTrip(r); err == nil {
			_ = res.Body.Close()
			status <- res.StatusCode
		} else {
			status <- http.StatusRequestEntityTooLarge // the connection was closed on it
		}
		if got := await(t, status, "an answer"); got != http.StatusRequestEntityTooLarge {
			t.Errorf("status %d, want 413", got)
		}
		b.untouched(t)
	})
	b.untouched(t)
}

func TestAttack32_FramingThatHidesARequest(t *testing.T) {
	bearer := token(t, "todo:read")
	good, evil := call("get_task"), call("purge")
	head := "POST " + testPath + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer " + bearer + "\r\n"
	chunked := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(good), good)
	smuggled := "POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(evil), evil)
	for name, request := range map[string]string{
		"length and chunks":          head + fmt.Sprintf("Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n", len(chunked)+len(smuggled)) + chunked + smuggled,
		"two lengths":                head + fmt.Sprintf("Content-Length: %d\r\nContent-Length: %d\r\n\r\n%s%s", len(good), len(good)+len(smuggled), good, smuggled),
		"chunked twice":              head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + chunked + smuggled,
		"an unknown coding":          head + "Transfer-Encoding: xchunked\r\n\r\n" + chunked + smuggled,
		"a length with a sign":       head + fmt.Sprintf("Content-Length: +%d\r\n\r\n%s", len(good), good),
		"a space before the colon":   head + fmt.Sprintf("Content-Length : %d\r\n\r\n%s", len(good), good),
		"a folded header":            head + "X-A: b\r\n X-Mcp-Auth-Subject: mallory\r\n" + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(good), good),
		"a body of a request to GET": strings.Replace(head, "POST", "GET", 1) + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(smuggled), smuggled),
		"a request behind a request": head + fmt.Sprintf("Content-Length: %d\r\n\r\n%s%s", len(good), good, smuggled),
	} {
		t.Run(name, func(t *testing.T) {
			b := protect(t)
			raw(t, b, request)
			stop(t, b)
			b.mu.Lock()
			defer b.mu.Unlock()
			for i, body := range b.bodies {
				if body != good || b.seen[i].Header.Get(HeaderSubject) != "alice" {
					t.Errorf("the MCP server saw %s %s: %s", b.seen[i].Method, b.seen[i].RequestURI, body)
				}
			}
		})
	}
}

func TestAttack34_ClientTokenNeverReachesTheServer(t *testing.T) {
	b := protect(t)
	bearer := token(t, "todo:read")
	copies := []string{"X-Token", "X-Authorization", "X-Forwarded-Authorization", "Cookie", "Proxy-Authorization", "X-Amz-Security-Token", "Mcp-Param-Token"}
	for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodDelete} {
		change := func(r *http.Request) {
			for _, name := range copies {
				r.Header.Set(name, "a="+bearer)
			}
			r.Header["authorization_"] = []string{bearer}
		}
		if method == http.MethodPost {
			wantStatus(t, b.post(t, bearer, call("get_task"), change), 200)
		} else {
			wantStatus(t, b.do(t, method, testPath, bearer, change), 200)
		}
		r, body := b.last(t)
		seen := string(encodeJSON(t, map[string]any{"header": r.Header, "uri": r.RequestURI, "trailer": r.Trailer, "body": body}))
		if strings.Contains(seen, bearer) || r.Header.Get("Authorization") != "" {
			t.Errorf("%s: the token came through: %s", method, seen)
		}
	}
}

// A token that another implementation signed is judged like our own.
func TestTokensWithOneAudienceAndTheLongTypePass(t *testing.T) {
	b := protect(t)
	text := craft(t, jwsHeader(map[string]any{"typ": "application/" + accesstoken.Type}),
		jwsClaims(map[string]any{"aud": testResource}), signWith(t, ring().Active()))
	wantStatus(t, b.post(t, text, call("get_task")), 200)
	var got struct{ Result any }
	if err := json.Unmarshal([]byte(b.post(t, text, call("list_x")).body), &got); err != nil {
		t.Error(err)
	}
}

func TestPolicyWithAnAnyOriginStillNeedsAToken(t *testing.T) {
	b := protect(t, func(p *policy.Policy) { p.AllowedOrigins = []string{"*"} })
	wantStatus(t, b.post(t, "", call("get_task"), header("Origin", "https://evil.example")), http.StatusUnauthorized)
	b.untouched(t)
}
