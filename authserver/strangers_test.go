package authserver_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/authserver/authservertest"
	"github.com/mcpauth/mcpauth/catalog"
)

// begunFrom asks for the pages of a client from an address that a trusted proxy reports.
func begunFrom(t *testing.T, server *authservertest.Server, address, clientID string) int {
	t.Helper()
	target := server.Issuer + "/oauth/authorize?client_id=" + url.QueryEscape(clientID)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Forwarded-For", address)
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// Nobody makes the server too busy for everybody else's metadata documents.
func TestAttack22_OneStrangerStarvesNobody(t *testing.T) {
	server := authservertest.New(t, authservertest.WithContent(func(c *catalog.Content) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		c.Outbound.PrivateHosts = []string{"127.0.0.1"}
	}))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	_ = listener.Close() // nobody answers there, at once
	document := func(n int) string { return fmt.Sprintf("https://127.0.0.1:%d/%d", port, n) }
	limited := 0
	for n := range 40 {
		if begunFrom(t, server, "192.0.2.1", document(n)) == http.StatusTooManyRequests {
			limited++
		}
	}
	if limited < 15 {
		t.Errorf("%d of 40 were too many for one address", limited)
	}
	if got := begunFrom(t, server, "192.0.2.2", document(100)); got == http.StatusTooManyRequests {
		t.Error("another address is limited too")
	}
}

// What an assertion leaves behind is bounded for clients that nobody declared.
func TestAttack24_AssertionsThatHaveToBeRemembered(t *testing.T) {
	server, key := authservertest.New(t), newHolder(t)
	app := server.Register(t, map[string]any{"token_endpoint_auth_method": "private_key_jwt", "jwks": json.RawMessage(key.jwks(t))})
	limited := 0
	for range 400 {
		body := with(clientAssertion(t, key, app.ID, server.ResourceIssuer(), server.Now(), nil), changed("token", "x"))
		status, got := server.Call(t, http.MethodPost, server.ResourceIssuer()+"/oauth/introspect", form, body.Encode())
		switch status {
		case http.StatusOK:
		case http.StatusTooManyRequests:
			limited++
		default:
			t.Fatalf("got %d %v", status, got)
		}
	}
	if limited == 0 {
		t.Error("400 at once are not too many")
	}
}

// A body that never comes does not hold its connection for ever.
func TestABodyHasToArrive(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a time-out")
	}
	server := authservertest.New(t)
	address := strings.TrimPrefix(server.Issuer, "http://")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /oauth/token HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nContent-Length: 100\r\n\r\n", address, form)
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 64)
	n, err := conn.Read(answer)
	if err != nil || !strings.HasPrefix(string(answer[:n]), "HTTP/1.1 400") {
		t.Errorf("got %q, %v", answer[:n], err)
	}
}
