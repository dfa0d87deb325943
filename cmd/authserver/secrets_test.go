package main

import (
	"log/slog"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/catalog"
	"github.com/mcpauth/mcpauth/compiler"
	"github.com/mcpauth/mcpauth/oauth/credential"
	"github.com/mcpauth/mcpauth/oauth/keyring"
)

const home = "mcpauth-system"

func following() *secrets {
	return newSecrets(nil, home, "main", "mcpauth-main-keys", slog.New(slog.DiscardHandler))
}

func keySecret(t *testing.T) (*corev1.Secret, string) {
	t.Helper()
	ring, err := keyring.New(keyring.RS256, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := ring.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: "mcpauth-main-keys"},
		Data:       map[string][]byte{keyring.SecretKey: encoded},
	}, ring.Active().KeyID()
}

func mirror(name, server, client, hashes string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: home, Name: name,
			Labels:      map[string]string{v1alpha1.AuthorizationServerLabel: server},
			Annotations: map[string]string{v1alpha1.ClientIDAnnotation: client},
		},
		Data: map[string][]byte{hashesKey: []byte(hashes)},
	}
}

func TestANewRingIsUsedAsSoonAsItsSecretChanges(t *testing.T) {
	s := following()
	if s.Ring() != nil {
		t.Fatal("there is a ring before any Secret")
	}
	for range 2 {
		secret, active := keySecret(t)
		s.changed(secret)
		if got := s.Ring().Active().KeyID(); got != active {
			t.Errorf("the active key is %s, want %s", got, active)
		}
	}
}

func TestADamagedOrDeletedKeySecretLeavesTheLastGoodKeys(t *testing.T) {
	s := following()
	secret, active := keySecret(t)
	s.changed(secret)
	for name, data := range map[string]map[string][]byte{
		"emptied":   nil,
		"truncated": {keyring.SecretKey: secret.Data[keyring.SecretKey][:100]},
		"no JSON":   {keyring.SecretKey: []byte("keys")},
	} {
		damaged := secret.DeepCopy()
		damaged.Data = data
		s.changed(damaged)
		if s.Ring() == nil || s.Ring().Active().KeyID() != active {
			t.Errorf("%s: the last good keys are gone", name)
		}
	}
	s.deleted(secret)
	if s.Ring() == nil {
		t.Error("deleted: the last good keys are gone")
	}
}

func TestKeysOfAnotherSecretOrNamespaceAreNotUsed(t *testing.T) {
	s := following()
	other, _ := keySecret(t)
	other.Name = "mcpauth-other-keys"
	s.changed(other)
	foreign, _ := keySecret(t)
	foreign.Namespace = "apps"
	s.changed(foreign)
	if s.Ring() != nil {
		t.Error("a ring was taken that is not this server's")
	}
}

func TestMirroredCredentialsCountUntilTheyAreDeleted(t *testing.T) {
	s := following()
	first, second := credential.HashOf("first"), credential.HashOf("second")
	s.changed(mirror("mcpauth-client-1", "main", "agent", first.String()+"\n"+second.String()+"\n"))
	s.changed(mirror("mcpauth-client-2", "other", "agent-of-another-server", first.String()))
	if got := s.ClientSecrets("agent"); len(got) != 2 || !got[0].Matches("first") || !got[1].Matches("second") {
		t.Errorf("secrets are %v", got)
	}
	if s.ClientSecrets("agent-of-another-server") != nil {
		t.Error("credentials for another server count here")
	}
	s.changed(mirror("mcpauth-client-1", "main", "agent", "sha256:damaged"))
	if len(s.ClientSecrets("agent")) != 2 {
		t.Error("a damaged mirror took the last good secrets away")
	}
	s.changed(mirror("mcpauth-client-1", "main", "agent", second.String()))
	if got := s.ClientSecrets("agent"); len(got) != 1 || got[0].Matches("first") {
		t.Error("a withdrawn secret still counts")
	}
	s.deleted(mirror("mcpauth-client-1", "main", "agent", second.String()))
	if s.ClientSecrets("agent") != nil {
		t.Error("a deleted mirror still counts")
	}
}

func TestTheLastGoodCatalogStaysWhenTheServerIsGone(t *testing.T) {
	name := types.NamespacedName{Namespace: home, Name: "main"}
	c := &catalogs{server: name, logger: slog.New(slog.DiscardHandler)}
	c.take(&compiler.Result{})
	if c.Current() != nil {
		t.Fatal("there is a catalog before the server")
	}
	served, err := catalog.New(catalog.Content{Issuer: "https://auth.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	c.take(&compiler.Result{Catalogs: map[types.NamespacedName]*catalog.Catalog{name: served}})
	c.take(&compiler.Result{})
	if c.Current() != served {
		t.Error("the last good catalog is gone")
	}
}
