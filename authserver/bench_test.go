package authserver_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/mcpauth/mcpauth/audit"
	"github.com/mcpauth/mcpauth/authserver"
	"github.com/mcpauth/mcpauth/authserver/authservertest"
)

// BenchmarkClientCredentials is a token without network and storage: what the
// server itself adds to the signature. Audit events are written as JSON to nowhere.
func BenchmarkClientCredentials(b *testing.B) {
	server := authservertest.New(b, authservertest.WithServer(func(o *authserver.Options) {
		o.Audit = audit.Log{Sink: audit.NewLines(io.Discard)}
	}))
	target := server.ResourceIssuer() + "/oauth/token"
	body := url.Values{"grant_type": {"client_credentials"}}.Encode()
	b.Run("token", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
				r.Header.Set("Content-Type", form)
				r.SetBasicAuth(authservertest.AgentID, authservertest.AgentSecret)
				w := httptest.NewRecorder()
				server.Handler.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					b.Fatal(w.Body)
				}
			}
		})
	})
	b.Run("signature alone", func(b *testing.B) {
		key, payload := server.Ring.Active(), []byte(strings.Repeat("x", 400))
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := key.SignCompact("at+jwt", payload); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}
