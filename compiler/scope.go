package compiler

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
	"github.com/mcpauth/mcpauth/policy"
)

func (c *compilation) scopes() {
	for _, object := range byAge(c.in.Scopes) {
		id := identify(KindScope, object)
		if err := oauth.ValidScope(object.Spec.Scope); err != nil {
			c.problem(id, invalid("spec.scope", "scope %q: %s", object.Spec.Scope, err))
			continue
		}
		grantable := c.grantable(object)
		for i := range object.Spec.ServerRefs {
			name := types.NamespacedName{Namespace: object.Namespace, Name: object.Spec.ServerRefs[i].Name}
			if s, problem := c.server(name); problem != nil {
				c.problem(id, *problem)
			} else if problem := s.add(object, grantable); problem != nil {
				c.problem(id, *problem)
			}
		}
	}
	for _, s := range c.servers {
		slices.SortFunc(s.resource.Scopes, func(a, b *catalog.Scope) int { return cmp.Compare(a.Name, b.Name) })
		slices.SortFunc(s.policy.Scopes, func(a, b policy.Scope) int { return cmp.Compare(a.Name, b.Name) })
	}
}

// server finds an accepted MCPServer. A reference to another one is Partial: the
// referrer is served for the servers that are well.
func (c *compilation) server(name types.NamespacedName) (*server, *Problem) {
	const field = "spec.serverRefs"
	if s := c.servers[name]; s != nil {
		return s, nil
	}
	p := unresolved(v1alpha1.ReasonNotFound, field, "MCPServer %s does not exist; create it or correct serverRefs", name)
	if slices.ContainsFunc(c.in.MCPServers, func(m *v1alpha1.MCPServer) bool { return nameOf(m) == name }) {
		p = unresolved(v1alpha1.ReasonInvalid, field, "MCPServer %s is not accepted; its own status says why", name)
	}
	p.Partial = true
	return nil, &p
}

// grantable compiles who may be granted a scope. A condition that does not compile
// is a Partial problem and grants to nobody: were the scope left out, whatever it
// alone names could become open to all.
func (c *compilation) grantable(object *v1alpha1.Scope) catalog.Scope {
	spec := object.Spec.GrantTo
	if spec == nil {
		return catalog.Scope{}
	}
	condition, err := c.grantCondition(spec.Condition)
	if err != nil {
		p := invalid("spec.grantTo.condition", "condition %s; until that is corrected the scope is granted to nobody", err)
		p.Partial = true
		c.problem(identify(KindScope, object), p)
		condition = func(catalog.Grantee) bool { return false }
	}
	return catalog.Scope{Groups: slices.Clone(spec.Groups), Organizations: slices.Clone(spec.Organizations), Condition: condition}
}

// add gives the server a scope with the rules of grantable.
func (s *server) add(object *v1alpha1.Scope, grantable catalog.Scope) *Problem {
	spec := &object.Spec
	if other := s.scopes[spec.Scope]; other != nil {
		p := conflict("spec.scope", "MCPServer %s has the scope %q from Scope %s, which is older; choose another name or merge the two",
			nameOf(s.object), spec.Scope, nameOf(other))
		p.Partial = true
		return &p
	}
	s.scopes[spec.Scope] = object
	granted := grantable
	granted.Name, granted.Description, granted.Default = spec.Scope, spec.Description, spec.Default
	s.resource.Scopes = append(s.resource.Scopes, &granted)
	s.policy.Scopes = append(s.policy.Scopes, policy.Scope{
		Name: spec.Scope, Default: spec.Default,
		Includes: slices.Clone(spec.Includes),
		Tools:    slices.Clone(spec.Tools), Prompts: slices.Clone(spec.Prompts), Resources: slices.Clone(spec.Resources),
		Methods: slices.Clone(spec.Methods),
	})
	return nil
}
