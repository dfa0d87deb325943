package catalog

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/mcpauth/mcpauth/oauth"
)

// Content is what a Catalog is made of.
type Content struct {
	// Issuer is the authorization server's own issuer URL, byte for byte as
	// clients are told.
	Issuer string
	// DisplayName is the installation's name on pages; empty means the issuer's host.
	DisplayName string
	// Logo is a data: URI of an image for pages; empty means none.
	Logo         string
	Registration Registration
	// SessionLifetime is how long a browser stays signed in; zero means that every
	// authorization asks again.
	SessionLifetime time.Duration
	// StrictAssertions accepts the issuer alone as the audience of an assertion, not
	// the token endpoint's URL.
	StrictAssertions bool
	Outbound         Outbound
	// TrustedIssuers are those whose assertions are redeemed for tokens.
	TrustedIssuers []*TrustedIssuer
	// TrustedProxies are the peers whose X-Forwarded-For is believed, for limits and
	// audit events alone; none by default.
	TrustedProxies []netip.Prefix
	Resources      []*Resource
	Clients        []*Client
	Providers      []*IdentityProvider
}

// Catalog is an immutable snapshot with its look-ups.
type Catalog struct {
	content  Content
	byID     map[oauth.ResourceID]*Resource
	byURL    map[oauth.ResourceKey]*Resource
	byClient map[string]*Client
	byIssuer map[string][]*TrustedIssuer
}

// New indexes content and takes it over: the caller changes nothing in it
// afterwards. It fails where two resources share an id or a URL, or two clients
// an id; the compiler has told their owners before and leaves such out.
func New(content Content) (*Catalog, error) {
	c := &Catalog{
		content:  content,
		byID:     make(map[oauth.ResourceID]*Resource, len(content.Resources)),
		byURL:    make(map[oauth.ResourceKey]*Resource, len(content.Resources)),
		byClient: make(map[string]*Client, len(content.Clients)),
		byIssuer: make(map[string][]*TrustedIssuer, len(content.TrustedIssuers)),
	}
	slices.SortFunc(c.content.Resources, func(a, b *Resource) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(c.content.Providers, func(a, b *IdentityProvider) int { return cmp.Compare(a.Name, b.Name) })
	for _, resource := range c.content.Resources {
		key, err := oauth.ParseResource(resource.URL)
		if err != nil {
			return nil, fmt.Errorf("resource %s: %w", resource.ID, err)
		}
		if c.byID[resource.ID] != nil || c.byURL[key] != nil {
			return nil, fmt.Errorf("resource %s: another resource has its id or its URL %s", resource.ID, resource.URL)
		}
		c.byID[resource.ID], c.byURL[key] = resource, resource
	}
	for _, client := range c.content.Clients {
		if c.byClient[client.ID] != nil {
			return nil, fmt.Errorf("client %s: another client has its id", client.ID)
		}
		c.byClient[client.ID] = client
	}
	for _, trusted := range c.content.TrustedIssuers {
		c.byIssuer[trusted.Issuer] = append(c.byIssuer[trusted.Issuer], trusted)
	}
	return c, nil
}

// Issuer is the authorization server's own issuer URL.
func (c *Catalog) Issuer() string { return c.content.Issuer }

// DisplayName is the installation's name; empty means the issuer's host.
func (c *Catalog) DisplayName() string { return c.content.DisplayName }

// Logo is a data: URI of the installation's image for pages; empty means none.
func (c *Catalog) Logo() string { return c.content.Logo }

// Registration says which unknown clients may come.
func (c *Catalog) Registration() *Registration { return &c.content.Registration }

// SessionLifetime is how long a browser stays signed in.
func (c *Catalog) SessionLifetime() time.Duration { return c.content.SessionLifetime }

// StrictAssertions reports whether an assertion's audience must be the issuer.
func (c *Catalog) StrictAssertions() bool { return c.content.StrictAssertions }

// Outbound says what the server may fetch.
func (c *Catalog) Outbound() Outbound { return c.content.Outbound }

// TrustedIssuers are those whose "iss" is issuer, byte for byte. The slice is not
// the caller's to change.
func (c *Catalog) TrustedIssuers(issuer string) []*TrustedIssuer { return c.byIssuer[issuer] }

// AllTrustedIssuers are all of them. The slice is not the caller's to change.
func (c *Catalog) AllTrustedIssuers() []*TrustedIssuer { return c.content.TrustedIssuers }

// TrustedProxies are the peers whose X-Forwarded-For is believed. The slice is not
// the caller's to change.
func (c *Catalog) TrustedProxies() []netip.Prefix { return c.content.TrustedProxies }

// Resources are all protected resources, ordered by id. The slice is not the
// caller's to change.
func (c *Catalog) Resources() []*Resource { return c.content.Resources }

// Providers are the identity providers, ordered by name. The slice is not the
// caller's to change.
func (c *Catalog) Providers() []*IdentityProvider { return c.content.Providers }

// Resource finds a resource by its id, or nil.
func (c *Catalog) Resource(id oauth.ResourceID) *Resource { return c.byID[id] }

// ResourceByIndicator finds the resource that an RFC 8707 "resource" parameter
// names, or nil.
func (c *Catalog) ResourceByIndicator(indicator string) *Resource {
	key, err := oauth.ParseResource(indicator)
	if err != nil {
		return nil
	}
	return c.byURL[key]
}

// Client finds a client that was registered beforehand, or nil.
func (c *Catalog) Client(id string) *Client { return c.byClient[id] }
