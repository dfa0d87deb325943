package catalog

import (
	"slices"
	"strings"
	"time"
)

// Registration says which clients may come without having been registered
// beforehand.
type Registration struct {
	// Dynamic allows RFC 7591.
	Dynamic bool
	// MetadataDocuments allows client ids that are URLs of metadata documents.
	MetadataDocuments bool
	// RedirectHosts limits the https redirect hosts of such clients; empty means any.
	RedirectHosts []string
	// DocumentHosts limits the hosts of metadata documents; empty means any.
	DocumentHosts []string
	// Documents are pinned: what is here, by client id, is never fetched.
	Documents map[string]string
	// Blocked are the ids of clients that are refused whatever else holds.
	Blocked []string
	// UnusedLifetime is how long a registration that was never used is kept; zero
	// means for ever.
	UnusedLifetime time.Duration
	// MaxClients bounds the registrations that are kept; zero means no bound.
	MaxClients int
}

// AllowsRedirectHost reports whether users may be sent to an https host.
func (r *Registration) AllowsRedirectHost(host string) bool { return allowsHost(r.RedirectHosts, host) }

// AllowsDocumentHost reports whether a metadata document may be on a host.
func (r *Registration) AllowsDocumentHost(host string) bool { return allowsHost(r.DocumentHosts, host) }

// Blocks reports whether the client is refused.
func (r *Registration) Blocks(clientID string) bool { return slices.Contains(r.Blocked, clientID) }

func allowsHost(allowed []string, host string) bool {
	return len(allowed) == 0 || slices.ContainsFunc(allowed, func(h string) bool { return strings.EqualFold(h, host) })
}
