package compiler

import (
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/catalog"
)

// What a registration policy does not say.
const (
	defaultUnusedLifetime = 24 * time.Hour
	minUnusedLifetime     = time.Hour
	maxUnusedLifetime     = 365 * 24 * time.Hour
	defaultMaxClients     = 10_000
)

func registration(spec *v1alpha1.Registration) catalog.Registration {
	if spec == nil {
		return catalog.Registration{
			Dynamic: true, MetadataDocuments: true, UnusedLifetime: defaultUnusedLifetime, MaxClients: defaultMaxClients,
		}
	}
	r := catalog.Registration{
		Dynamic:           spec.Dynamic != v1alpha1.Disabled,
		MetadataDocuments: spec.MetadataDocuments != v1alpha1.Disabled,
		RedirectHosts:     slices.Clone(spec.AllowedRedirectHosts),
		DocumentHosts:     slices.Clone(spec.AllowedDocumentHosts),
		Blocked:           slices.Clone(spec.BlockedClients),
		UnusedLifetime:    durationOr(spec.UnusedLifetime, defaultUnusedLifetime),
		MaxClients:        defaultMaxClients,
	}
	if spec.MaxClients != nil {
		r.MaxClients = int(*spec.MaxClients)
	}
	if len(spec.Documents) > 0 {
		r.Documents = make(map[string]string, len(spec.Documents))
	}
	for _, pinned := range spec.Documents {
		r.Documents[pinned.ClientID] = pinned.Document
	}
	return r
}

// serverRegistration narrows for one server; nil where it does not.
func serverRegistration(spec *v1alpha1.ServerRegistration) *catalog.Registration {
	if spec == nil {
		return nil
	}
	r := &catalog.Registration{
		Dynamic:           spec.Dynamic != v1alpha1.Disabled,
		MetadataDocuments: spec.MetadataDocuments != v1alpha1.Disabled,
		RedirectHosts:     slices.Clone(spec.AllowedRedirectHosts),
		DocumentHosts:     slices.Clone(spec.AllowedDocumentHosts),
		Blocked:           slices.Clone(spec.BlockedClients),
	}
	if spec.MaxClients != nil {
		r.MaxClients = int(*spec.MaxClients)
	}
	return r
}

func checkRegistration(spec *v1alpha1.Registration) []Problem {
	if spec == nil {
		return nil
	}
	var problems []Problem
	if l := durationOr(spec.UnusedLifetime, defaultUnusedLifetime); l < minUnusedLifetime || l > maxUnusedLifetime {
		problems = append(problems, invalid("spec.registration.unusedLifetime", "unusedLifetime %s must be between 1h and 8760h", l))
	}
	for _, pinned := range spec.Documents {
		if err := checkDocument(pinned); err != nil {
			problems = append(problems, invalid("spec.registration.documents", "the document of %q %s", pinned.ClientID, err))
		}
	}
	return problems
}

// checkDocument says why a pinned metadata document is none
// (draft-ietf-oauth-client-id-metadata-document-02 §3 and §4). The rest of it is
// checked where every such document is, by the authorization server.
func checkDocument(pinned v1alpha1.ClientDocument) error {
	if !isDocumentURL(pinned.ClientID) {
		return errors.New("has a clientID that is no https URL with a path and without dot segments, fragment and user information")
	}
	var document map[string]json.RawMessage
	if err := json.Unmarshal([]byte(pinned.Document), &document); err != nil {
		return errors.New("is not a JSON object")
	}
	var id string
	if json.Unmarshal(document["client_id"], &id) != nil || id != pinned.ClientID {
		return errors.New("names another client_id, or none; it must be the same, byte for byte")
	}
	if _, secret := document["client_secret"]; secret {
		return errors.New("holds a client_secret, which such documents never do")
	}
	return nil
}

func isDocumentURL(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil || checkHTTPS(raw) != nil || u.Path == "" || u.Path == "/" {
		return false
	}
	return !slices.ContainsFunc(strings.Split(u.Path, "/"), func(segment string) bool { return segment == "." || segment == ".." })
}

func durationOr(d *metav1.Duration, absent time.Duration) time.Duration {
	if d == nil {
		return absent
	}
	return d.Duration
}
