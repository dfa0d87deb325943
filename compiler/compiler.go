package compiler

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/policy"
)

// Input is everything that both processes may read. Compile changes nothing in it.
type Input struct {
	AuthorizationServers []*v1alpha1.AuthorizationServer
	IdentityProviders    []*v1alpha1.IdentityProvider
	MCPServers           []*v1alpha1.MCPServer
	Scopes               []*v1alpha1.Scope
	OAuthClients         []*v1alpha1.OAuthClient
	Namespaces           []*corev1.Namespace
}

// Kind names one of the kinds that the compiler reads.
type Kind string

// The kinds, by the names of their Go types.
const (
	KindAuthorizationServer Kind = "AuthorizationServer"
	KindIdentityProvider    Kind = "IdentityProvider"
	KindMCPServer           Kind = "MCPServer"
	KindScope               Kind = "Scope"
	KindOAuthClient         Kind = "OAuthClient"
)

// Object names one object.
type Object struct {
	Kind Kind
	types.NamespacedName
}

// String reads "Kind namespace/name".
func (o Object) String() string { return string(o.Kind) + " " + o.NamespacedName.String() }

// Problem is what is wrong with an object and what to do about it.
type Problem struct {
	// Condition is the type of the condition that it makes False: Accepted or
	// ResolvedRefs.
	Condition string
	Reason    v1alpha1.Reason
	Message   string
	// Field is the path of the field that is wrong, for messages about files.
	Field string
	// Partial says that the object is served all the same, without the part that
	// is wrong.
	Partial bool
}

// Server is what an MCPServer compiles to.
type Server struct {
	ResourceID oauth.ResourceID
	// AuthorizationServer issues its tokens.
	AuthorizationServer types.NamespacedName
	// Issuer is the issuer of its tokens.
	Issuer string
	// MetadataURL is where clients find its protected resource metadata.
	MetadataURL string
	Policy      *policy.Policy
	// Clients is how many OAuthClients may reach it.
	Clients int
}

// Client is what an OAuthClient compiles to.
type Client struct {
	ID string
	// AuthorizationServer is the one that knows the client.
	AuthorizationServer types.NamespacedName
	// Issuer and TokenEndpoint are delivered beside the credentials.
	Issuer        string
	TokenEndpoint string
}

// Result is what an Input compiles to. It is immutable.
type Result struct {
	Catalogs map[types.NamespacedName]*catalog.Catalog
	Servers  map[types.NamespacedName]*Server
	Clients  map[types.NamespacedName]*Client
	Problems map[Object][]Problem
	// Observed is the generation of every object that was read, for writers of
	// status to know what the result is about.
	Observed map[Object]int64
}

// Accepted reports whether nothing is wrong with the object.
func (r *Result) Accepted(o Object) bool { return len(r.Problems[o]) == 0 }

// Compile is the pure function. It takes time linear in the input.
func Compile(in Input) *Result {
	c := newCompilation(in)
	c.authorizationServers()
	c.identityProviders()
	c.mcpServers()
	c.scopes()
	c.oauthClients()
	return c.finish()
}

// compilation is the state of one call of Compile; its steps run in the order in
// which Compile names them, each reading what those before it accepted.
type compilation struct {
	in         Input
	namespaces map[string]*corev1.Namespace
	authz      map[types.NamespacedName]*authz
	servers    map[types.NamespacedName]*server
	clients    map[types.NamespacedName]*Client
	problems   map[Object][]Problem

	// overGrantees and overClaims compile the conditions of Scopes and of trusted
	// issuers.
	overGrantees, overClaims *conditions
}

// authz is an accepted AuthorizationServer and what attached to it.
type authz struct {
	object  *v1alpha1.AuthorizationServer
	content catalog.Content

	resourceIDs map[oauth.ResourceID]*v1alpha1.MCPServer
	resources   map[oauth.ResourceKey]*v1alpha1.MCPServer
	clientIDs   map[string]*v1alpha1.OAuthClient
}

// server is an accepted MCPServer and what attached to it.
type server struct {
	object   *v1alpha1.MCPServer
	authz    *authz
	resource *catalog.Resource
	policy   *policy.Policy
	scopes   map[string]*v1alpha1.Scope
	clients  int
}

func newCompilation(in Input) *compilation {
	c := &compilation{
		in:         in,
		namespaces: make(map[string]*corev1.Namespace, len(in.Namespaces)),
		authz:      make(map[types.NamespacedName]*authz, len(in.AuthorizationServers)),
		servers:    make(map[types.NamespacedName]*server, len(in.MCPServers)),
		clients:    make(map[types.NamespacedName]*Client, len(in.OAuthClients)),
		problems:   make(map[Object][]Problem),

		overGrantees: grantConditions(),
		overClaims:   assertionConditions(),
	}
	for _, namespace := range in.Namespaces {
		c.namespaces[namespace.Name] = namespace
	}
	return c
}

func (c *compilation) finish() *Result {
	result := &Result{
		Catalogs: make(map[types.NamespacedName]*catalog.Catalog, len(c.authz)),
		Servers:  make(map[types.NamespacedName]*Server, len(c.servers)),
		Clients:  c.clients,
		Problems: c.problems,
		Observed: c.observed(),
	}
	for name, a := range c.authz {
		snapshot, err := catalog.New(a.content)
		if err != nil {
			// The steps before refuse every conflict that New knows; should one slip
			// through, its owner hears of it and the last good catalog stays in use.
			c.problem(Object{KindAuthorizationServer, name}, invalid("", "cannot be served: %s", err))
			continue
		}
		result.Catalogs[name] = snapshot
	}
	for name, s := range c.servers {
		result.Servers[name] = s.finish()
	}
	return result
}

func (c *compilation) observed() map[Object]int64 {
	generations := make(map[Object]int64)
	observe(generations, KindAuthorizationServer, c.in.AuthorizationServers)
	observe(generations, KindIdentityProvider, c.in.IdentityProviders)
	observe(generations, KindMCPServer, c.in.MCPServers)
	observe(generations, KindScope, c.in.Scopes)
	observe(generations, KindOAuthClient, c.in.OAuthClients)
	return generations
}

func observe[T metav1.Object](generations map[Object]int64, kind Kind, objects []T) {
	for _, object := range objects {
		generations[identify(kind, object)] = object.GetGeneration()
	}
}

func (c *compilation) problem(o Object, p Problem) {
	c.problems[o] = append(c.problems[o], p)
}

// refuse records the problems, if there are any, and reports whether the object
// is left out.
func (c *compilation) refuse(o Object, problems []Problem) bool {
	left := false
	for _, p := range problems {
		c.problem(o, p)
		left = left || !p.Partial
	}
	return left
}

func invalid(field, format string, args ...any) Problem {
	return Problem{Condition: v1alpha1.ConditionAccepted, Reason: v1alpha1.ReasonInvalid, Field: field, Message: fmt.Sprintf(format, args...)}
}

func conflict(field, format string, args ...any) Problem {
	return Problem{Condition: v1alpha1.ConditionAccepted, Reason: v1alpha1.ReasonConflict, Field: field, Message: fmt.Sprintf(format, args...)}
}

func unresolved(reason v1alpha1.Reason, field, format string, args ...any) Problem {
	return Problem{Condition: v1alpha1.ConditionResolvedRefs, Reason: reason, Field: field, Message: fmt.Sprintf(format, args...)}
}

// byAge orders objects so that whoever came first claims first.
func byAge[T metav1.Object](objects []T) []T {
	sorted := slices.Clone(objects)
	slices.SortStableFunc(sorted, func(a, b T) int {
		ta, tb := a.GetCreationTimestamp(), b.GetCreationTimestamp()
		return cmp.Or(ta.Compare(tb.Time), cmp.Compare(a.GetNamespace(), b.GetNamespace()), cmp.Compare(a.GetName(), b.GetName()))
	})
	return sorted
}

func nameOf(o metav1.Object) types.NamespacedName {
	return types.NamespacedName{Namespace: o.GetNamespace(), Name: o.GetName()}
}

func identify(kind Kind, o metav1.Object) Object { return Object{kind, nameOf(o)} }
