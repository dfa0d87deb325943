package authserver

import "net/http"

// keysMaxAge is how long verifiers may keep the JWKS, in seconds. A new key is
// published at least this long before it signs.
const keysMaxAge = "300"

// keys publishes the public half of every key in the ring (RFC 7517).
func (s *Server) keys(w http.ResponseWriter, _ *request) {
	writeDocument(w, s.opts.Keys().JWKSDocument(), keysMaxAge)
}
