package compiler

import (
	"cmp"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
)

// derivedPrefix begins every client id that is derived from a UID. Given ids
// must not begin so, or one object could take the id that another will derive.
const derivedPrefix = "mcpc-"

func (c *compilation) oauthClients() {
	for _, object := range byAge(c.in.OAuthClients) {
		id := identify(KindOAuthClient, object)
		servers, problems := c.reach(object)
		problems = append(problems, checkOAuthClient(&object.Spec, servers)...)
		var workloads []catalog.Workload
		if len(servers) > 0 {
			var more []Problem
			workloads, more = servers[0].authz.workloads(object)
			problems = append(problems, more...)
		}
		if c.refuse(id, problems) || len(servers) == 0 {
			continue
		}
		if c.refuse(id, servers[0].authz.claimClient(object)) {
			continue
		}
		c.serve(object, servers, workloads)
	}
}

// reach finds the accepted servers of a client. All of them must have the same
// AuthorizationServer, because it is the one that knows the client.
func (c *compilation) reach(object *v1alpha1.OAuthClient) ([]*server, []Problem) {
	var servers []*server
	var problems []Problem
	for _, ref := range object.Spec.ServerRefs {
		s, problem := c.server(types.NamespacedName{Namespace: object.Namespace, Name: ref.Name})
		switch {
		case problem != nil:
			problems = append(problems, *problem)
		case len(servers) > 0 && s.authz != servers[0].authz:
			problems = append(problems, invalid("spec.serverRefs",
				"MCPServers %s and %s have different AuthorizationServers; make one OAuthClient for each", nameOf(servers[0].object), nameOf(s.object)))
		default:
			servers = append(servers, s)
		}
	}
	return servers, problems
}

func checkOAuthClient(spec *v1alpha1.OAuthClientSpec, servers []*server) []Problem {
	var problems []Problem
	for _, uri := range spec.RedirectURIs {
		if err := oauth.ValidRedirectURI(uri); err != nil {
			problems = append(problems, invalid("spec.redirectURIs", "redirect URI %q: %s", uri, err))
		}
	}
	if strings.HasPrefix(spec.ClientID, derivedPrefix) {
		problems = append(problems, invalid("spec.clientID", "clientID %q begins with %q, which is kept for derived ids", spec.ClientID, derivedPrefix))
	}
	for _, name := range spec.Scopes {
		if len(servers) > 0 && !anyHas(servers, name) {
			problems = append(problems, partly(v1alpha1.ReasonNotFound, "spec.scopes",
				"none of the client's MCPServers has the scope %q; create a Scope or remove the name", name))
		}
	}
	return append(problems, checkClientKeys(spec)...)
}

// checkClientKeys checks what verifies the client's signatures.
func checkClientKeys(spec *v1alpha1.OAuthClientSpec) []Problem {
	var problems []Problem
	if spec.JWKS != "" {
		if err := checkKeySet(spec.JWKS); err != nil {
			problems = append(problems, invalid("spec.jwks", "jwks %s", err))
		}
	}
	if spec.JWKSURI != "" {
		if err := checkHTTPS(spec.JWKSURI); err != nil {
			problems = append(problems, invalid("spec.jwksURI", "jwksURI %q %s", spec.JWKSURI, err))
		}
	}
	if signs := spec.TokenEndpointAuthMethod == oauth.AuthMethodPrivateKeyJWT; signs && (spec.JWKS == "") == (spec.JWKSURI == "") {
		problems = append(problems, invalid("spec.jwks", "private_key_jwt needs exactly one of jwks and jwksURI"))
	}
	return problems
}

func anyHas(servers []*server, scope string) bool {
	for _, s := range servers {
		if s.scopes[scope] != nil {
			return true
		}
	}
	return false
}

func clientIDOf(object *v1alpha1.OAuthClient) string {
	return cmp.Or(object.Spec.ClientID, derivedPrefix+string(object.UID))
}

func (a *authz) claimClient(object *v1alpha1.OAuthClient) []Problem {
	id := clientIDOf(object)
	if other := a.clientIDs[id]; other != nil {
		return []Problem{conflict("spec.clientID", "client id %q is that of OAuthClient %s, which is older; choose another", id, nameOf(other))}
	}
	a.clientIDs[id] = object
	return nil
}

func (c *compilation) serve(object *v1alpha1.OAuthClient, servers []*server, workloads []catalog.Workload) {
	spec := &object.Spec
	client := &catalog.Client{
		ID:           clientIDOf(object),
		Name:         cmp.Or(spec.DisplayName, object.Name),
		RedirectURIs: append([]string(nil), spec.RedirectURIs...),
		AuthMethod:   cmp.Or(string(spec.TokenEndpointAuthMethod), oauth.AuthMethodClientSecretBasic),
		Scopes:       oauth.NewScopeSet(spec.Scopes...),

		JWKS:                  spec.JWKS,
		JWKSURI:               spec.JWKSURI,
		RequirePushedRequests: spec.RequirePushedAuthorizationRequests,
		RequireDPoP:           spec.RequireDPoP,
		Workloads:             workloads,
	}
	for _, grant := range spec.GrantTypes {
		client.GrantTypes = append(client.GrantTypes, string(grant))
	}
	for _, s := range servers {
		client.Resources = append(client.Resources, s.resource.ID)
		s.clients++
	}
	a := servers[0].authz
	a.content.Clients = append(a.content.Clients, client)

	issuer := a.content.Issuer
	if len(servers) == 1 {
		issuer = oauth.ResourceIssuer(issuer, servers[0].resource.ID)
	}
	c.clients[nameOf(object)] = &Client{
		ID: client.ID, AuthorizationServer: nameOf(a.object),
		Issuer: issuer, TokenEndpoint: issuer + "/oauth/token",
	}
}
