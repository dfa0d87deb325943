package audit

import "time"

// Decision is how it ended.
type Decision string

// The decisions.
const (
	Allowed Decision = "allowed"
	Denied  Decision = "denied"
)

// EventsLost is the type of the event that a Queue or Lines itself writes, once
// it can: so many events before it, as its field Lost says, were not written.
const EventsLost = "audit.lost"

// Event is one thing that happened. Empty fields are left out.
type Event struct {
	// Time is when it happened; a Log takes zero for now.
	Time time.Time
	// Type is what happened, as noun.verb: "token.issued", "tool.called".
	Type     string
	Decision Decision
	// Reason is a word out of a closed set: an OAuth error code or a policy reason.
	Reason       string
	Subject      string
	Email        string
	Organization string
	Client       string
	Grant        string
	GrantType    string
	Resource     string
	// Method is the JSON-RPC method of the message; Tool, Prompt and URI are what it
	// names, of which it has one at most.
	Method string
	Tool   string
	Prompt string
	URI    string
	// ArgumentNames are the names of the call's arguments, never their values. Sinks
	// do not keep the slice.
	ArgumentNames []string
	ScopeHeld     string
	ScopeNeeded   string
	RemoteAddr    string
	Status        int
	Duration      time.Duration
	// BytesIn and BytesOut are the sizes of the request's and the response's body.
	BytesIn  int64
	BytesOut int64
	// Server is the MCPServer, as namespace/name.
	Server string
	// Session refers to the MCP session without being it, as whoever has the
	// session's id may speak in it: a prefix of its SHA-256, for example.
	Session string
	// TraceID and SpanID are in lower-case hexadecimal (W3C Trace Context, section 3.2).
	TraceID string
	SpanID  string
	// Lost is how many events were lost; of EventsLost alone.
	Lost uint64
}
