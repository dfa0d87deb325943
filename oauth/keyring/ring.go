package keyring

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// SecretKey is the name of the entry that holds a ring in a Kubernetes Secret's data.
const SecretKey = "ring.json"

// Ring is the immutable set of keys of one authorization server.
type Ring struct {
	signing []Key
	sealing []sealingKey
}

// New makes a first ring, whose one key is active at once: before it, there was
// no JWKS that a verifier could have cached.
func New(alg Algorithm, now time.Time) (*Ring, error) {
	key, err := newKey(alg, now)
	if err != nil {
		return nil, err
	}
	key.Phase, key.Activated = Active, key.Created
	return &Ring{signing: []Key{key}, sealing: []sealingKey{newSealingKey()}}, nil
}

// Keys returns a copy of the signing keys, the oldest first.
func (r *Ring) Keys() []Key { return append([]Key(nil), r.signing...) }

// Active is the key that signs.
func (r *Ring) Active() *Key {
	for i := range r.signing {
		if r.signing[i].Phase == Active {
			return &r.signing[i]
		}
	}
	return nil // Decode and New leave no ring without an active key
}

// JWKS is the public half of every key, in whatever phase (RFC 7517 §5).
func (r *Ring) JWKS() jose.JSONWebKeySet {
	set := jose.JSONWebKeySet{Keys: make([]jose.JSONWebKey, 0, len(r.signing))}
	for i := range r.signing {
		set.Keys = append(set.Keys, r.signing[i].Public())
	}
	return set
}

// document is the ring's JSON form.
type document struct {
	Signing []signingDocument `json:"signing"`
	Sealing []sealingDocument `json:"sealing"`
}

type signingDocument struct {
	ID        KeyID     `json:"id"`
	Algorithm Algorithm `json:"algorithm"`
	Phase     Phase     `json:"phase"`
	Created   time.Time `json:"created"`
	Activated time.Time `json:"activated,omitzero"`
	Retired   time.Time `json:"retired,omitzero"`
	Private   []byte    `json:"private"` // PKCS #8, DER
}

type sealingDocument struct {
	ID  string `json:"id"`
	Key []byte `json:"key"`
}

// Encode writes the ring, private halves included: the result belongs in a
// Secret or in a file of mode 0600 and nowhere else.
func (r *Ring) Encode() ([]byte, error) {
	var doc document
	for _, key := range r.signing {
		der, err := x509.MarshalPKCS8PrivateKey(key.private)
		if err != nil {
			return nil, fmt.Errorf("encode signing key %s: %w", key.ID, err)
		}
		doc.Signing = append(doc.Signing, signingDocument{
			ID: key.ID, Algorithm: key.Algorithm, Phase: key.Phase,
			Created: key.Created, Activated: key.Activated, Retired: key.Retired, Private: der,
		})
	}
	for _, key := range r.sealing {
		doc.Sealing = append(doc.Sealing, sealingDocument{ID: key.id, Key: key.key})
	}
	return json.Marshal(doc)
}

// Decode reads what Encode wrote. It refuses a ring that could not serve: a key
// that is damaged, weak or there twice, an id that is not the key's own, none or
// two active keys, no sealing key. Its errors never quote the data.
func Decode(data []byte) (*Ring, error) {
	var doc document
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, errors.New("the key ring is not valid JSON")
	}
	ring := &Ring{}
	active := 0
	for _, d := range doc.Signing {
		key, err := d.key()
		if err != nil {
			return nil, fmt.Errorf("signing key %q: %w", d.ID, err)
		}
		if ring.hasSigning(key.ID) {
			return nil, fmt.Errorf("signing key %q is there twice", d.ID)
		}
		if key.Phase == Active {
			active++
		}
		ring.signing = append(ring.signing, key)
	}
	if active != 1 {
		return nil, fmt.Errorf("the key ring has %d active keys; it must have exactly one", active)
	}
	for _, d := range doc.Sealing {
		if len(d.Key) != sealingKeySize || d.ID == "" {
			return nil, fmt.Errorf("sealing key %q is damaged", d.ID)
		}
		if ring.hasSealing(d.ID) {
			return nil, fmt.Errorf("sealing key %q is there twice", d.ID)
		}
		ring.sealing = append(ring.sealing, sealingKey{id: d.ID, key: d.Key})
	}
	if len(ring.sealing) == 0 {
		return nil, errors.New("the key ring has no sealing key")
	}
	return ring, nil
}

func (r *Ring) hasSigning(id KeyID) bool {
	return slices.ContainsFunc(r.signing, func(k Key) bool { return k.ID == id })
}

func (r *Ring) hasSealing(id string) bool {
	return slices.ContainsFunc(r.sealing, func(k sealingKey) bool { return k.id == id })
}

func (d signingDocument) key() (Key, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(d.Private)
	if err != nil {
		return Key{}, errors.New("the private key is damaged")
	}
	private, ok := parsed.(*rsa.PrivateKey)
	if !ok || d.Algorithm != RS256 {
		return Key{}, fmt.Errorf("the key does not fit the algorithm %q", d.Algorithm)
	}
	if private.N.BitLen() < rsaBits {
		return Key{}, fmt.Errorf("the key has %d bits; it must have at least %d", private.N.BitLen(), rsaBits)
	}
	key, err := makeKey(d.Algorithm, private, d.Created)
	if err != nil {
		return Key{}, err
	}
	switch {
	case key.ID != d.ID:
		return Key{}, errors.New("the id is not the key's own")
	case d.Phase != Pending && d.Phase != Active && d.Phase != Retired:
		return Key{}, fmt.Errorf("the phase %q is unknown", d.Phase)
	}
	key.Phase, key.Activated, key.Retired = d.Phase, d.Activated, d.Retired
	return key, nil
}

func newSealingKey() sealingKey {
	key := make([]byte, sealingKeySize)
	id := make([]byte, 6)
	rand.Read(key)
	rand.Read(id)
	return sealingKey{id: encodeID(id), key: key}
}
