package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
)

// sealingKeySize selects AES-256.
const sealingKeySize = 32

// ErrNotSealed says that a text was not sealed by this ring for this purpose, or
// was changed since.
var ErrNotSealed = errors.New("the sealed text is not ours or was changed")

type sealingKey struct {
	id  string
	key []byte
}

func encodeID(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (k sealingKey) aead() (cipher.AEAD, error) {
	block, err := aes.NewCipher(k.key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// Seal encrypts and authenticates plaintext with the newest sealing key, in a
// form that fits a URL parameter or a cookie. The purpose is authenticated, so
// that what was sealed for one place is refused at another.
func (r *Ring) Seal(purpose string, plaintext []byte) (string, error) {
	key := r.sealing[len(r.sealing)-1]
	aead, err := key.aead()
	if err != nil {
		return "", err
	}
	return key.id + "." + base64.RawURLEncoding.EncodeToString(aead.Seal(nil, nil, plaintext, []byte(purpose))), nil
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
		aead, err := key.aead()
		if err != nil {
			return nil, err
		}
		plaintext, err := aead.Open(nil, nil, box, []byte(purpose))
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
	derived, err := hkdf.Key(sha256.New, k.key, nil, "mac:"+purpose, sha256.Size)
	if err != nil {
		return nil // only for lengths past 255 hashes
	}
	h := hmac.New(sha256.New, derived)
	h.Write([]byte(message))
	return h.Sum(nil)
}
