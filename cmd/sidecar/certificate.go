package main

import (
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Names of a Secret of type kubernetes.io/tls, and so of the files that it is mounted as.
const (
	certificateFile = "tls.crt"
	privateKeyFile  = "tls.key"
)

// lookEvery is how often a handshake looks for a newer certificate.
const lookEvery = 10 * time.Second

// certificate is what a folder holds, the newest that can be used. It is safe for
// concurrent use.
type certificate struct {
	folder string
	logger *slog.Logger
	now    func() time.Time

	mu     sync.Mutex
	pair   *tls.Certificate
	seen   [sha256.Size]byte // of what was read the last time, good or bad
	looked time.Time
}

// newCertificate reads a certificate, which has to be there.
func newCertificate(folder string, logger *slog.Logger) (*certificate, error) {
	c := &certificate{folder: folder, logger: logger, now: time.Now}
	if err := c.look(); err != nil {
		return nil, err
	}
	return c, nil
}

// config serves the certificate to clients of TLS 1.2 and later.
func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.now(); now.Sub(c.looked) >= lookEvery {
		c.looked = now
		if err := c.look(); err != nil {
			c.logger.Error("the new certificate cannot be used; the one before it stays", "folder", c.folder, "error", err)
		}
	}
	return c.pair, nil
}

// look takes what the files hold, where that is something else than before. Times do not
// tell: a link may be swapped to files of the same moment.
func (c *certificate) look() error {
	chain, err := os.ReadFile(filepath.Join(c.folder, certificateFile))
	if err != nil {
		return fmt.Errorf("read the certificate: %w", err)
	}
	key, err := os.ReadFile(filepath.Join(c.folder, privateKeyFile))
	if err != nil {
		return fmt.Errorf("read the certificate's key: %w", err)
	}
	sum := sha256.Sum256(slices.Concat(chain, []byte{0}, key))
	if sum == c.seen {
		return nil
	}
	c.seen = sum
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return fmt.Errorf("read the certificate and its key: %w", err)
	}
	if c.pair != nil {
		c.logger.Info("a new certificate is in use", "folder", c.folder, "ends", notAfter(&pair))
	}
	c.pair = &pair
	return nil
}

func notAfter(pair *tls.Certificate) time.Time {
	if pair.Leaf == nil {
		return time.Time{}
	}
	return pair.Leaf.NotAfter
}
