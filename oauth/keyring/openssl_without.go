//go:build !cgo || !linux

package keyring

import "crypto/rsa"

// newOpenSSL reports false: a program without cgo loads no libraries.
func newOpenSSL(*rsa.PrivateKey) (backend, bool) { return nil, false }
