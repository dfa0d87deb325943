//go:build linux

package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mcpauth/mcpauth/oauth/keyring"
	"github.com/mcpauth/mcpauth/test/bench/internal/child"
)

// signedSize is what an access token has to be signed over, in bytes.
const signedSize = 640

// signerLoop signs on all cores and does nothing else: what no server can beat.
type signerLoop struct {
	child *child.Child
	// backend is whose code signs.
	backend string
}

// Ways to sign RSA.
const (
	withOpenSSL    = "with"
	withoutOpenSSL = "without"
)

func startSigner(ctx context.Context, ring *keyring.Ring, openSSL string) (*signerLoop, error) {
	encoded, err := ring.Encode()
	if err != nil {
		return nil, err
	}
	c, err := child.Start(ctx, roleSigner)
	if err != nil {
		return nil, err
	}
	backend, err := c.Ask(openSSL + " " + base64.StdEncoding.EncodeToString(encoded))
	if err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return &signerLoop{c, backend}, nil
}

// perSecond signs for a while and says how many signatures a second that made.
func (s *signerLoop) perSecond(duration time.Duration) (float64, error) {
	answer, err := s.child.Ask(duration.String())
	if err != nil {
		return 0, err
	}
	var made, nanoseconds int64
	if _, err := fmt.Sscan(answer, &made, &nanoseconds); err != nil || nanoseconds <= 0 {
		return 0, fmt.Errorf("the signer answered %q", answer)
	}
	return float64(made) / time.Duration(nanoseconds).Seconds(), nil
}

func (s *signerLoop) stop() error { return s.child.Stop() }

// signer is the signer's process: first the ring, then a duration a line.
func signer(in io.Reader, out io.Writer) error {
	requests := child.Lines(in)
	if !requests.Scan() {
		return requests.Err()
	}
	openSSL, text, _ := strings.Cut(requests.Text(), " ")
	encoded, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return fmt.Errorf("read the ring: %w", err)
	}
	ring, err := keyring.Options{WithoutOpenSSL: openSSL == withoutOpenSSL}.Decode(encoded)
	if err != nil {
		return err
	}
	key := ring.Active()
	if _, err := fmt.Fprintln(out, key.Backend()); err != nil {
		return err
	}
	for requests.Scan() {
		duration, err := time.ParseDuration(requests.Text())
		if err != nil {
			return err
		}
		made, took, err := signFor(key, duration)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(out, made, took.Nanoseconds()); err != nil {
			return err
		}
	}
	return requests.Err()
}

func signFor(key *keyring.Key, duration time.Duration) (made int64, took time.Duration, err error) {
	input := make([]byte, signedSize)
	rand.Read(input) // never fails
	var count atomic.Int64
	begin := time.Now()
	until := begin.Add(duration)
	errs := make([]error, runtime.GOMAXPROCS(0))
	var group sync.WaitGroup
	for i := range errs {
		group.Go(func() {
			for time.Now().Before(until) {
				if _, errs[i] = key.Sign(input); errs[i] != nil {
					return
				}
				count.Add(1)
			}
		})
	}
	group.Wait()
	return count.Load(), time.Since(begin), errors.Join(errs...)
}
