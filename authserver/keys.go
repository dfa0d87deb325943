package authserver

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// keysMaxAge is how long verifiers may keep the JWKS, in seconds. A new key is
// published at least this long before it signs.
const keysMaxAge = "300"

// keys publishes the public half of every key in the ring (RFC 7517).
func (s *Server) keys(w http.ResponseWriter, r *request) {
	document, err := json.Marshal(s.opts.Keys().JWKS())
	if err != nil {
		s.writeError(w, r.Request, fmt.Errorf("encode the key set: %w", err))
		return
	}
	writeDocument(w, document, keysMaxAge)
}
