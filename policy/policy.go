package policy

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/mcpauth/mcpauth/oauth"
)

// FileName is the name of the entry in the ConfigMap, and so of the mounted file.
const FileName = "policy.json"

// Version is the format that this package writes and reads.
const Version = 1

// Unmatched says what becomes of operations that no scope names.
type Unmatched string

// Deny is the default; Allow opens them to any valid token.
const (
	Deny  Unmatched = "Deny"
	Allow Unmatched = "Allow"
)

// minSilence is more than for how long a feed without news is silent, in seconds.
const minSilence = 60

// Policy is the whole configuration of one MCP server's protection. Decode makes
// one that Decide can use; it is immutable and safe for concurrent use.
type Policy struct {
	Version int `json:"version"`
	// Server is the MCPServer's "namespace/name", for logs.
	Server string `json:"server"`
	// Resource is the URL that users type, byte for byte.
	Resource     string `json:"resource"`
	ResourceName string `json:"resourceName,omitempty"`
	// Issuers are the accepted "iss"; the first one is advertised.
	Issuers []string `json:"issuers"`
	// Audiences are the accepted "aud".
	Audiences []string `json:"audiences"`
	// JWKSURL is where the sidecar fetches keys; it may be an address inside the
	// cluster and need not share the issuer's host.
	JWKSURL string `json:"jwksURL"`
	// RevocationsURL is the feed of what ended before its time (package revocation);
	// empty follows none.
	RevocationsURL string `json:"revocationsURL,omitempty"`
	// FailClosedAfter is for how many seconds the feed may be silent before every token
	// is refused; zero is for ever.
	FailClosedAfter int64 `json:"failClosedAfterSeconds,omitempty"`
	// JWKS is a copy of the keys to start from when the authorization server is
	// away (RFC 7517); absent in the compiler's output.
	JWKS json.RawMessage `json:"jwks,omitempty"`
	// Upstream is where the MCP server listens.
	Upstream Upstream `json:"upstream"`

	Scopes              []Scope   `json:"scopes,omitempty"`
	UnmatchedOperations Unmatched `json:"unmatchedOperations,omitempty"`
	// AllowedOrigins are the browser origins that may call; "*" means any. The
	// resource's own origin is always allowed.
	AllowedOrigins []string `json:"allowedOrigins,omitempty"`
	// RequireDPoP refuses tokens that are not bound to a key (RFC 9449). Those that
	// are bound need a proof of their key whatever it says.
	RequireDPoP bool `json:"requireDPoP,omitempty"`
	// FilterLists leaves out of lists what the caller's scopes do not open.
	FilterLists bool   `json:"filterLists,omitempty"`
	Limits      Limits `json:"limits,omitzero"`
	// AuditArgumentNames writes the names of a call's arguments into its event.
	AuditArgumentNames bool `json:"auditArgumentNames,omitempty"`
	// LogLevel is debug, info, warn or error; empty means info.
	LogLevel  string    `json:"logLevel,omitempty"`
	Telemetry Telemetry `json:"telemetry,omitzero"`

	// prepared says that Prepare has run, without which Decide refuses.
	prepared    bool
	rules       []rule
	constrained bool
	supported   oauth.ScopeSet
	defaults    oauth.ScopeSet
}

// Upstream is the MCP server behind the sidecar. Within a pod only Port and Path
// are set, and the host is loopback; outside a cluster URL is.
type Upstream struct {
	Port int32  `json:"port,omitempty"`
	Path string `json:"path,omitempty"`
	URL  string `json:"url,omitempty"`
	// MessagePath is where clients of HTTP with SSE (MCP 2024-11-05) post, here and
	// outside; empty for streamable HTTP.
	MessagePath string `json:"messagePath,omitempty"`
}

// Limits bound what callers may ask; a zero value bounds nothing, or as the sidecar
// does by itself.
type Limits struct {
	User   Rate `json:"user,omitzero"`
	Client Rate `json:"client,omitzero"`
	// Tool is for the calls of one tool; it has no Streams.
	Tool Rate `json:"tool,omitzero"`

	MaxBodyBytes   int64 `json:"maxBodyBytes,omitempty"`
	MaxHeaderBytes int   `json:"maxHeaderBytes,omitempty"`
	MaxDepth       int   `json:"maxDepth,omitempty"`
}

// Rate is how much may be asked; a zero field bounds nothing.
type Rate struct {
	PerSecond float64 `json:"perSecond,omitempty"`
	// Burst is how many may come at once; zero means one second's, at least one.
	Burst int `json:"burst,omitempty"`
	// Streams is how many event streams may be open at once.
	Streams int `json:"streams,omitempty"`
}

// Telemetry says where OpenTelemetry data goes; the zero value is nowhere.
type Telemetry struct {
	// Endpoint is the base URL of a collector that takes OTLP by HTTP.
	Endpoint string `json:"endpoint,omitempty"`
	// TracePercent is of how many requests in a hundred a trace is begun.
	TracePercent int `json:"tracePercent,omitempty"`
}

// Scope is one scope and the operations it opens. The patterns are globs in
// which * stands for any run of characters.
type Scope struct {
	Name    string `json:"name"`
	Default bool   `json:"default,omitempty"`
	// Includes are the scopes that whoever holds this one holds as well, and so on.
	Includes  []string `json:"includes,omitempty"`
	Tools     []string `json:"tools,omitempty"`
	Prompts   []string `json:"prompts,omitempty"`
	Resources []string `json:"resources,omitempty"`
	Methods   []string `json:"methods,omitempty"`
}

// Encode writes the canonical JSON form: the same policy gives the same bytes.
func (p *Policy) Encode() ([]byte, error) {
	data, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the policy of %s: %w", p.Server, err)
	}
	return append(data, '\n'), nil
}

// Decode reads, checks and prepares a policy. It fails closed: a policy with a
// field that this version does not know would be enforced in part, so it is
// refused.
func Decode(data []byte) (*Policy, error) {
	var p Policy
	if err := strictUnmarshal(data, &p); err != nil {
		return nil, fmt.Errorf("read the policy: %w", err)
	}
	if err := p.Prepare(); err != nil {
		return nil, err
	}
	return &p, nil
}

// Prepare checks a policy that was made in Go and readies it for Decide. Decode
// calls it.
func (p *Policy) Prepare() error {
	p.prepared, p.rules, p.constrained = false, nil, false
	switch {
	case p.Version != Version:
		return fmt.Errorf("the policy has version %d; this sidecar reads version %d", p.Version, Version)
	case p.Resource == "":
		return errors.New("the policy names no resource")
	case len(p.Issuers) == 0 || len(p.Audiences) == 0:
		return errors.New("the policy names no issuer or no audience, so no token could be valid")
	case p.JWKSURL == "" && len(p.JWKS) == 0:
		return errors.New("the policy names no source of keys")
	case p.UnmatchedOperations != "" && p.UnmatchedOperations != Deny && p.UnmatchedOperations != Allow:
		return fmt.Errorf("unmatchedOperations %q is neither Deny nor Allow", p.UnmatchedOperations)
	case p.FailClosedAfter != 0 && p.FailClosedAfter < minSilence:
		return fmt.Errorf("failClosedAfterSeconds is less than %d, which a feed without news may be silent for", minSilence)
	case p.FailClosedAfter != 0 && p.RevocationsURL == "":
		return errors.New("failClosedAfterSeconds is set, and there is no feed of revocations that could be silent")
	}
	if err := errors.Join(p.Limits.check(), p.checkLogLevel()); err != nil {
		return err
	}
	var supported, defaults []string
	for _, scope := range p.Scopes {
		if err := oauth.ValidScope(scope.Name); err != nil {
			return fmt.Errorf("scope %q: %w", scope.Name, err)
		}
		supported = append(supported, scope.Name)
		if scope.Default {
			defaults = append(defaults, scope.Name)
		}
	}
	holders := p.holders()
	for _, scope := range p.Scopes {
		p.addRules(scope, holders[scope.Name])
	}
	p.prepared, p.supported, p.defaults = true, oauth.NewScopeSet(supported...), oauth.NewScopeSet(defaults...)
	return nil
}

func (p *Policy) checkLogLevel() error {
	switch p.LogLevel {
	case "", "debug", "info", "warn", "error":
		return nil
	}
	return fmt.Errorf("logLevel %q is none of debug, info, warn, error", p.LogLevel)
}

func (l *Limits) check() error {
	for _, r := range [...]Rate{l.User, l.Client, l.Tool} {
		if !(r.PerSecond >= 0 && r.PerSecond <= 1e9) || r.Burst < 0 || r.Streams < 0 {
			return errors.New("a limit is negative or not a number")
		}
	}
	if l.MaxBodyBytes < 0 || l.MaxHeaderBytes < 0 || l.MaxDepth < 0 {
		return errors.New("a limit of a size is negative")
	}
	return nil
}

// SupportedScopes is every scope of the server.
func (p *Policy) SupportedScopes() oauth.ScopeSet { return p.supported }

// DefaultScopes is what basic use needs: what the first challenge names.
func (p *Policy) DefaultScopes() oauth.ScopeSet { return p.defaults }
