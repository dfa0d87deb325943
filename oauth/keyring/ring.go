package keyring

import (
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
	jwks    []byte
}

// Options say how the keys of a ring sign. The zero value is what New and Decode
// use.
type Options struct {
	// WithoutOpenSSL leaves RSA to crypto/rsa even where OpenSSL's library is there.
	WithoutOpenSSL bool
	// Turns is how many signatures are made at a time; zero means GOMAXPROCS, which
	// is right unless that is more than there are cores.
	Turns int
}

// New makes a first ring, whose one key is active at once: before it, there was
// no JWKS that a verifier could have cached.
func New(alg Algorithm, now time.Time) (*Ring, error) { return Options{}.New(alg, now) }

// New is New with the options.
func (o Options) New(alg Algorithm, now time.Time) (*Ring, error) {
	private, err := alg.generate()
	if err != nil {
		return nil, err
	}
	key, err := o.makeKey(alg, private, now, newTurns(o.Turns))
	if err != nil {
		return nil, err
	}
	key.Phase, key.Activated = Active, key.Created
	sealing, err := newSealingKey()
	if err != nil {
		return nil, err
	}
	return assemble([]Key{key}, []sealingKey{sealing})
}

func assemble(signing []Key, sealing []sealingKey) (*Ring, error) {
	r := &Ring{signing: signing, sealing: sealing}
	var err error
	if r.jwks, err = json.Marshal(r.JWKS()); err != nil {
		return nil, fmt.Errorf("encode the JWKS: %w", err)
	}
	return r, nil
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

// JWKSDocument is JWKS as JSON, made once for the ring. The caller does not change
// it.
func (r *Ring) JWKSDocument() []byte { return r.jwks }

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
		der, err := x509.MarshalPKCS8PrivateKey(key.private.key)
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
func Decode(data []byte) (*Ring, error) { return Options{}.Decode(data) }

// Decode is Decode with the options.
func (o Options) Decode(data []byte) (*Ring, error) {
	var doc document
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, errors.New("the key ring is not valid JSON")
	}
	signing, err := o.decodeSigning(doc.Signing)
	if err != nil {
		return nil, err
	}
	sealing, err := decodeSealing(doc.Sealing)
	if err != nil {
		return nil, err
	}
	return assemble(signing, sealing)
}

func (o Options) decodeSigning(docs []signingDocument) ([]Key, error) {
	var keys []Key
	active := 0
	t := newTurns(o.Turns)
	for _, d := range docs {
		key, err := o.decodeKey(d, t)
		if err != nil {
			return nil, fmt.Errorf("signing key %q: %w", d.ID, err)
		}
		if slices.ContainsFunc(keys, func(k Key) bool { return k.ID == key.ID }) {
			return nil, fmt.Errorf("signing key %q is there twice", d.ID)
		}
		if key.Phase == Active {
			active++
		}
		keys = append(keys, key)
	}
	if active != 1 {
		return nil, fmt.Errorf("the key ring has %d active keys; it must have exactly one", active)
	}
	return keys, nil
}

func (o Options) decodeKey(d signingDocument, t turns) (Key, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(d.Private)
	if err != nil {
		return Key{}, errors.New("the private key is damaged")
	}
	private, err := d.Algorithm.check(parsed)
	if err != nil {
		return Key{}, err
	}
	key, err := o.makeKey(d.Algorithm, private, d.Created, t)
	switch {
	case err != nil:
		return Key{}, err
	case key.ID != d.ID:
		return Key{}, errors.New("the id is not the key's own")
	case d.Phase != Pending && d.Phase != Active && d.Phase != Retired:
		return Key{}, fmt.Errorf("the phase %q is unknown", d.Phase)
	}
	key.Phase, key.Activated, key.Retired = d.Phase, d.Activated, d.Retired
	return key, nil
}

func decodeSealing(docs []sealingDocument) ([]sealingKey, error) {
	var keys []sealingKey
	for _, d := range docs {
		if len(d.Key) != sealingKeySize || d.ID == "" {
			return nil, fmt.Errorf("sealing key %q is damaged", d.ID)
		}
		if slices.ContainsFunc(keys, func(k sealingKey) bool { return k.id == d.ID }) {
			return nil, fmt.Errorf("sealing key %q is there twice", d.ID)
		}
		key, err := makeSealingKey(d.ID, d.Key)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("the key ring has no sealing key")
	}
	return keys, nil
}
