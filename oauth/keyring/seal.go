package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// sealingKeySize selects AES-256.
const sealingKeySize = 32

// ErrNotSealed says that a text was not sealed by this ring for this purpose, or
// was changed since.
var ErrNotSealed = errors.New("the sealed text is not ours or was changed")

// sealingKey is one key with what is derived from it. It is safe for concurrent
// use.
type sealingKey struct {
	id   string
	key  []byte
	aead cipher.AEAD
	// macKeys has the derived key for each purpose.
	macKeys *memo[[]byte]
}

func newSealingKey() (sealingKey, error) {
	key := make([]byte, sealingKeySize)
	id := make([]byte, 6)
	rand.Read(key)
	rand.Read(id)
	return makeSealingKey(encodeID(id), key)
}

func makeSealingKey(id string, key []byte) (sealingKey, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return sealingKey{}, fmt.Errorf("sealing key %q: %w", id, err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return sealingKey{}, fmt.Errorf("sealing key %q: %w", id, err)
	}
	return sealingKey{id: id, key: key, aead: aead, macKeys: &memo[[]byte]{}}, nil
}

func encodeID(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// Seal encrypts and authenticates plaintext with the newest sealing key, in a
// form that fits a URL parameter or a cookie. The purpose is authenticated, so
// that what was sealed for one place is refused at another.
func (r *Ring) Seal(purpose string, plaintext []byte) (string, error) {
	key := r.sealing[len(r.sealing)-1]
	return key.id + "." + base64.RawURLEncoding.EncodeToString(key.aead.Seal(nil, nil, plaintext, []byte(purpose))), nil
}

// Open returns what was sealed for the same purpose, or ErrNotSealed.
func (r *Ring) Open(purpose, sealed string) ([]byte, error) {
	id, text, ok := strings.Cut(sealed, ".")
	if !ok {
		return nil, ErrNotSealed
	}
	box, ok := decodeText(text)
	if !ok {
		return nil, ErrNotSealed
	}
	for _, key := range r.sealing {
		if key.id != id {
			continue
		}
		plaintext, err := key.aead.Open(nil, nil, box, []byte(purpose))
		if err != nil {
			return nil, ErrNotSealed
		}
		return plaintext, nil
	}
	return nil, ErrNotSealed
}

// decodeText accepts one spelling of every text: the library skips line breaks.
func decodeText(text string) ([]byte, bool) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, false
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return data, err == nil
}

// MAC authenticates a message with the newest sealing key. The result names its
// key, so that it outlives the key's successor.
func (r *Ring) MAC(purpose, message string) string {
	key := r.sealing[len(r.sealing)-1]
	return key.id + "." + base64.RawURLEncoding.EncodeToString(key.mac(purpose, message))
}

// VerifyMAC reports, in constant time, whether mac was made by MAC for the same
// purpose and message with a key that the ring still has.
func (r *Ring) VerifyMAC(purpose, message, mac string) bool {
	id, text, _ := strings.Cut(mac, ".")
	sum, ok := decodeText(text)
	if !ok {
		return false
	}
	for _, key := range r.sealing {
		if key.id == id {
			return len(sum) == sha256.Size && hmac.Equal(sum, key.mac(purpose, message))
		}
	}
	return false
}

// mac separates its key from the one that encrypts, and purpose from message.
func (k sealingKey) mac(purpose, message string) []byte {
	derived, err := k.macKeys.of(purpose, k.macKey)
	if err != nil {
		return nil // only for lengths past 255 hashes
	}
	h := hmac.New(sha256.New, derived)
	h.Write([]byte(message))
	return h.Sum(nil)
}

func (k sealingKey) macKey(purpose string) ([]byte, error) {
	return hkdf.Key(sha256.New, k.key, nil, "mac:"+purpose, sha256.Size)
}
