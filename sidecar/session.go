package sidecar

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/mcpauth/mcpauth/oauth/accesstoken"
	"github.com/mcpauth/mcpauth/sidecar/jsonrpc"
)

// headerSession names the session (MCP until 2025-11-25, Session Management).
const headerSession = "Mcp-Session-Id"

const (
	// sessionsKept is how many sessions are remembered, in about 10 MiB, and sessionsEach how
	// many of one subject: nobody has other people's forgotten by beginning many.
	sessionsKept = 1 << 16
	sessionsEach = 1 << 10
	// maxSessionID is longer than any server makes them.
	maxSessionID = 1 << 10
)

// sessions remember whose each session is: the subject that it was given to. An id that
// another subject got hold of is of no use to it. Where nobody remembers, after a
// restart or at another replica, a session is the subject's that the MCP server first
// accepts with it. It is safe for concurrent use.
type sessions struct {
	mu     sync.Mutex
	owners *simplelru.LRU[sessionKey, ownerKey]
	held   map[ownerKey]*share
}

// share is what one subject has.
type share struct {
	count int
	// begun are its sessions, the oldest first, and some that have ended since.
	begun []sessionKey
}

// sessionKey stands for a session's id and ownerKey for who has it: neither is kept.
type (
	sessionKey [sha256.Size]byte
	ownerKey   [sha256.Size]byte
)

func newSessions() *sessions {
	s := &sessions{held: make(map[ownerKey]*share)}
	owners, err := simplelru.NewLRU(sessionsKept, func(_ sessionKey, owner ownerKey) {
		if s.held[owner].count--; s.held[owner].count == 0 {
			delete(s.held, owner)
		}
	})
	if err != nil {
		panic(err) // the size is a constant
	}
	s.owners = owners
	return s
}

func keyOf(session string) sessionKey { return sha256.Sum256([]byte(session)) }

func ownerOf(c *accesstoken.Claims) ownerKey {
	return sha256.Sum256([]byte(c.Issuer + "\x00" + c.Subject))
}

// owner is who has a session, where that is known.
func (s *sessions) owner(session string) (ownerKey, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.owners.Get(keyOf(session))
}

// open reports whether nobody else is known to have the session.
func (s *sessions) open(session string, c *accesstoken.Claims) bool {
	owner, known := s.owner(session)
	return !known || owner == ownerOf(c)
}

// has reports whether the session is known to be the caller's.
func (s *sessions) has(session string, c *accesstoken.Claims) bool {
	owner, known := s.owner(session)
	return known && owner == ownerOf(c)
}

// bind gives a session to its first owner. Who has as many as are remembered has the
// oldest forgotten.
func (s *sessions) bind(session string, c *accesstoken.Claims) {
	key, owner := keyOf(session), ownerOf(c)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owners.Contains(key) {
		return
	}
	if h := s.held[owner]; h != nil && h.count >= sessionsEach {
		s.forgetOldest(owner, h)
	}
	h := s.held[owner]
	if h == nil {
		h = &share{}
		s.held[owner] = h
	}
	h.count++
	h.begun = append(h.begun, key)
	if len(h.begun) > 2*sessionsEach {
		h.begun = slices.DeleteFunc(h.begun, func(k sessionKey) bool { return k != key && !s.isOf(k, owner) })
	}
	s.owners.Add(key, owner)
}

func (s *sessions) isOf(key sessionKey, owner ownerKey) bool {
	has, known := s.owners.Peek(key)
	return known && has == owner
}

func (s *sessions) forgetOldest(owner ownerKey, h *share) {
	for len(h.begun) > 0 {
		oldest := h.begun[0]
		h.begun = h.begun[1:]
		if s.isOf(oldest, owner) {
			s.owners.Remove(oldest)
			return
		}
	}
}

func (s *sessions) forget(session string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.owners.Remove(keyOf(session))
}

// count is how many are remembered.
func (s *sessions) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.owners.Len()
}

// bindSession refuses a session that is somebody else's, as the MCP server would one
// that does not exist: clients then begin their own.
func (x *exchange) bindSession() *answer {
	ids := x.r.Header.Values(headerSession)
	if len(ids) > 1 {
		return malformed(http.StatusBadRequest, jsonrpc.InvalidRequest, "there is more than one "+headerSession+" header")
	}
	if len(ids) == 1 {
		x.session = ids[0]
	}
	if len(x.session) > maxSessionID || len(x.r.URL.RawQuery) > maxSessionID && x.posts {
		return malformed(http.StatusBadRequest, jsonrpc.InvalidRequest, "the session's id is too long")
	}
	if x.session != "" && !x.sessions.open(x.session, x.claims) {
		return noSuchSession()
	}
	if x.posts && x.r.URL.RawQuery != "" {
		// The stream that named the address passes here as long as its session lives, so an
		// address that nobody remembers is nobody's.
		if x.session = endpointSession(x.r.URL.RawQuery); !x.sessions.has(x.session, x.claims) {
			return noSuchSession()
		}
	}
	return nil
}

func noSuchSession() *answer {
	a := malformed(http.StatusNotFound, jsonrpc.InvalidRequest, "there is no such session")
	a.reason = reasonSession
	return a
}

// endpointSession is the session of an address that an event stream named for posting
// (MCP 2024-11-05): servers put its id into the query, which can be written in several
// ways.
func endpointSession(query string) string {
	parsed, err := url.ParseQuery(query)
	if err != nil {
		return "endpoint?" + query
	}
	return "endpoint?" + parsed.Encode()
}

// noteSession remembers the session that an answer of the MCP server begins, goes on
// with or ends.
func (x *exchange) noteSession(res *http.Response) {
	if res.StatusCode == http.StatusNotFound && x.session != "" {
		x.sessions.forget(x.session) // the MCP server does not know it either
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return
	}
	if given := res.Header.Get(headerSession); given != "" && given != x.session && len(given) <= maxSessionID {
		x.sessions.bind(given, x.claims)
		if x.session == "" {
			x.session = given
		}
	}
	switch {
	case x.session == "":
	case x.r.Method == http.MethodDelete:
		x.sessions.forget(x.session)
	default:
		x.sessions.bind(x.session, x.claims)
	}
}

// reference names a session in audit events: long enough to tell sessions apart, of no
// use to anybody who would take one over.
func reference(session string) string {
	if session == "" {
		return ""
	}
	key := keyOf(session)
	return base64.RawURLEncoding.EncodeToString(key[:9])
}
