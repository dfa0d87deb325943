package authserver

import (
	"github.com/mcpauth/mcpauth/authserver/client"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
)

// namedResource is the resource that a request says it is about: by "resource"
// (RFC 8707), or by having been sent to the resource's own issuer. It is nil
// where the request says neither.
func (i issuer) namedResource(indicators []string) (*catalog.Resource, error) {
	if len(indicators) > 1 {
		return nil, oauth.Errorf(oauth.InvalidTarget, "a token is for one resource; name a single one")
	}
	if len(indicators) == 0 {
		return i.resource, nil
	}
	named := i.ResourceByIndicator(indicators[0])
	switch {
	case named == nil:
		return nil, oauth.Errorf(oauth.InvalidTarget, "this server protects no such resource")
	case i.resource != nil && named != i.resource:
		return nil, oauth.Errorf(oauth.InvalidTarget, "this issuer is for %s alone", i.resource.URL)
	}
	return named, nil
}

// chooseResource is the resource that a new authorization is for. A request that
// names none means the only one there is, or the only one that the client may
// reach.
func (i issuer) chooseResource(c *client.Client, indicators []string) (*catalog.Resource, error) {
	chosen, err := i.namedResource(indicators)
	if err != nil {
		return nil, err
	}
	if chosen == nil {
		if chosen = i.onlyResource(c); chosen == nil {
			return nil, oauth.Errorf(oauth.InvalidTarget, "the request must name its resource: there is more than one, or none")
		}
	}
	return chosen, mayReach(c, chosen)
}

func (i issuer) onlyResource(c *client.Client) *catalog.Resource {
	if all := i.Resources(); len(all) == 1 {
		return all[0]
	}
	var only *catalog.Resource
	for _, resource := range i.Resources() {
		if !c.MayReach(resource.ID) {
			continue
		}
		if only != nil {
			return nil
		}
		only = resource
	}
	return only
}

func mayReach(c *client.Client, resource *catalog.Resource) error {
	if !c.MayReach(resource.ID) {
		return oauth.Errorf(oauth.InvalidTarget, "this client is not registered for that resource")
	}
	return nil
}
