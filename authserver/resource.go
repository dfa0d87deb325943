package authserver

import (
	"slices"

	"github.com/mcpauth/mcpauth/authserver/client"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/oauth"
)

// maxResources bounds how many resources one request may name.
const maxResources = 8

// namedResources are those that a request says it is about, in its order: by
// "resource" (RFC 8707), or by having been sent to a resource's own issuer. There
// are none where the request says neither.
func (i issuer) namedResources(indicators []string) ([]*catalog.Resource, error) {
	if len(indicators) > maxResources {
		return nil, oauth.Errorf(oauth.InvalidTarget, "the request names more than %d resources", maxResources)
	}
	if len(indicators) == 0 && i.resource != nil {
		return []*catalog.Resource{i.resource}, nil
	}
	var named []*catalog.Resource
	for _, indicator := range indicators {
		resource := i.ResourceByIndicator(indicator)
		switch {
		case resource == nil:
			return nil, oauth.Errorf(oauth.InvalidTarget, "this server protects no such resource")
		case i.resource != nil && resource != i.resource:
			return nil, oauth.Errorf(oauth.InvalidTarget, "this issuer is for %s alone", i.resource.URL)
		case !slices.Contains(named, resource):
			named = append(named, resource)
		}
	}
	return named, nil
}

// oneResource is the one that a token request names, nil where it names none: a
// token is for one resource, however many were granted, so that none of them can
// use it at another.
func (i issuer) oneResource(indicators []string) (*catalog.Resource, error) {
	named, err := i.namedResources(indicators)
	switch {
	case err != nil:
		return nil, err
	case len(named) > 1:
		return nil, oauth.Errorf(oauth.InvalidTarget, "a token is for one resource; name a single one, and ask again for the others")
	case len(named) == 0:
		return nil, nil
	}
	return named[0], nil
}

// chooseResources are those that a new authorization is for. A request that names
// none means the only one there is, or the only one that the client may reach.
func (i issuer) chooseResources(c *client.Client, indicators []string) ([]*catalog.Resource, error) {
	chosen, err := i.namedResources(indicators)
	if err != nil {
		return nil, err
	}
	if len(chosen) == 0 {
		only := i.onlyResource(c)
		if only == nil {
			return nil, oauth.Errorf(oauth.InvalidTarget, "the request must name its resource: there is more than one, or none")
		}
		chosen = []*catalog.Resource{only}
	}
	for _, resource := range chosen {
		if err := mayReach(c, resource); err != nil {
			return nil, err
		}
	}
	return chosen, nil
}

// chooseResource is the one that a client's own token is for.
func (i issuer) chooseResource(c *client.Client, indicators []string) (*catalog.Resource, error) {
	if _, err := i.oneResource(indicators); err != nil {
		return nil, err
	}
	chosen, err := i.chooseResources(c, indicators)
	if err != nil {
		return nil, err
	}
	return chosen[0], nil
}

func (i issuer) onlyResource(c *client.Client) *catalog.Resource {
	if all := i.Resources(); len(all) == 1 {
		return all[0]
	}
	var only *catalog.Resource
	for _, resource := range i.Resources() {
		if !c.MayReach(resource) {
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
	if !c.MayReach(resource) {
		return oauth.Errorf(oauth.InvalidTarget, "this client may not ask for %s: it is registered for another resource, or that one takes no clients of its kind", resource.URL)
	}
	return nil
}

// resourceIDs are the ids of resources, in their order.
func resourceIDs(resources []*catalog.Resource) []oauth.ResourceID {
	ids := make([]oauth.ResourceID, len(resources))
	for i, resource := range resources {
		ids[i] = resource.ID
	}
	return ids
}

// firstURL names resources in audit events: the first of them.
func firstURL(resources []*catalog.Resource) string {
	if len(resources) == 0 {
		return ""
	}
	return resources[0].URL
}
