package dev

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/mcpauth/mcpauth/api/v1alpha1"
	"github.com/mcpauth/mcpauth/compiler"
	"github.com/mcpauth/mcpauth/oauth/credential"
	"github.com/mcpauth/mcpauth/oauth/keyring"
)

// data is the folder that outlives the process, or nothing where path is empty.
// It holds secrets, so only its owner may read it.
type data struct {
	path string
}

func openData(path string) (data, error) {
	if path == "" {
		return data{}, nil
	}
	if err := os.MkdirAll(filepath.Join(path, "clients"), 0o700); err != nil {
		return data{}, fmt.Errorf("make the data folder: %w", err)
	}
	return data{path: path}, nil
}

// database is the path of an authorization server's database file; empty means in
// memory.
func (d data) database(server types.NamespacedName) string {
	if d.path == "" {
		return ""
	}
	return filepath.Join(d.path, fileName(server)+".db")
}

// ring reads an authorization server's keys, or makes and keeps them.
func (d data) ring(server types.NamespacedName, algorithm keyring.Algorithm, now time.Time) (*keyring.Ring, error) {
	if d.path == "" {
		return keyring.New(algorithm, now)
	}
	path := filepath.Join(d.path, fileName(server)+".keys.json")
	content, err := os.ReadFile(path)
	switch {
	case err == nil:
		ring, err := keyring.Decode(content)
		if err != nil {
			return nil, fmt.Errorf("read the keys in %s: %w; delete the file to begin with new ones", path, err)
		}
		if active := ring.Active(); active.Algorithm != algorithm {
			return nil, fmt.Errorf("the keys in %s are for %s, and the manifest says %s; delete the file to begin with new ones", path, active.Algorithm, algorithm)
		}
		return ring, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("read the keys: %w", err)
	}
	ring, err := keyring.New(algorithm, now)
	if err != nil {
		return nil, err
	}
	encoded, err := ring.Encode()
	if err != nil {
		return nil, err
	}
	return ring, writePrivate(path, encoded)
}

// credentialFile is what a client finds in its file: the same keys as in a
// cluster's Secret.
type credentialFile struct {
	ClientID      string `json:"client_id"`
	ClientSecret  string `json:"client_secret"`
	Issuer        string `json:"issuer"`
	TokenEndpoint string `json:"token_endpoint"`
}

// deliver writes a client's credentials and returns the secret: given, kept from
// before, or new. Without a folder nobody can read a new one, so it makes none.
func (d data) deliver(name types.NamespacedName, client *compiler.Client, given string) (secret string, err error) {
	if d.path == "" {
		return given, nil
	}
	path := d.credentials(name)
	file := credentialFile{ClientID: client.ID, ClientSecret: given, Issuer: client.Issuer, TokenEndpoint: client.TokenEndpoint}
	if given == "" {
		if file.ClientSecret, err = keptSecret(path); err != nil {
			return "", err
		}
	}
	if file.ClientSecret == "" {
		file.ClientSecret = credential.NewSecret()
	}
	encoded, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return "", err
	}
	return file.ClientSecret, writePrivate(path, append(encoded, '\n'))
}

func (d data) credentials(name types.NamespacedName) string {
	return filepath.Join(d.path, "clients", fileName(name)+".json")
}

func keptSecret(path string) (string, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read a client's credentials: %w", err)
	}
	var file credentialFile
	if json.Unmarshal(content, &file) != nil {
		return "", fmt.Errorf("%s is not JSON; delete it to have new credentials made", path)
	}
	return file.ClientSecret, nil
}

func fileName(name types.NamespacedName) string { return name.Namespace + "." + name.Name }

// writePrivate replaces a file whole: a crash leaves the old one or the new one.
func writePrivate(path string, content []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), ".tmp-*") // mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = temporary.Write(content)
	err = errors.Join(err, temporary.Sync(), temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, errors.Join(err, os.Remove(temporary.Name())))
	}
	return nil
}

// wantsSecret reports whether the client authenticates with a secret.
func wantsSecret(object *v1alpha1.OAuthClient) bool { return object.Spec.Secret != nil }
