package accesstoken

import (
	"context"
	"crypto/sha256"
	"errors"

	lru "github.com/hashicorp/golang-lru/v2"
)

// hash stands for the text of a token: who reads our memory finds none to use.
type hash [sha256.Size]byte

// verify returns a token that is valid now; with an error, one that is genuine and not
// valid any more, or nil. What it remembers spares the work that would come out the same
// again: the signature, and whose and for whom the token is.
func (v *Verifier) verify(ctx context.Context, raw string) (*verified, error) {
	if len(raw) > MaxTokenLength {
		return nil, ErrMalformed
	}
	if v.CacheSize <= 0 {
		token, err := v.read(ctx, raw)
		if err != nil {
			return nil, err
		}
		return token, v.inForce(token)
	}
	v.making.Do(v.makeCache)
	key := hash(sha256.Sum256([]byte(raw)))
	token, err := v.recall(ctx, key)
	if err != nil {
		return nil, err
	}
	known := token != nil
	if !known {
		if token, err = v.read(ctx, raw); err != nil {
			return nil, err
		}
	}
	switch err := v.inForce(token); {
	case errors.Is(err, ErrExpired), errors.Is(err, ErrRevoked):
		v.cache.Remove(key) // it never comes back to life
		return token, err
	case err != nil:
		return token, err
	case !known:
		v.cache.Add(key, token)
	}
	return token, nil
}

// recall returns a token that was verified before, or nil. A key that its issuer does
// not publish any more takes its tokens with it, and so does one that another took the
// place of: then the signature decides again.
func (v *Verifier) recall(ctx context.Context, key hash) (*verified, error) {
	token, ok := v.cache.Get(key)
	if !ok {
		return nil, nil
	}
	by := token.by
	switch err := by.find(ctx, v.Keys); {
	case errors.Is(err, ErrInvalid):
		v.cache.Remove(key)
		return nil, err
	case err != nil:
		return nil, err
	case sameKey(token.by.key, by.key):
		return token, nil
	case !equalKeys(token.by.key, by.key):
		v.cache.Remove(key)
		return nil, nil
	}
	// The keys were fetched again. Comparing their numbers costs more than all the
	// rest, and is done once.
	renewed := *token
	renewed.by = by
	v.cache.Add(key, &renewed)
	return &renewed, nil
}

// makeCache takes no memory for tokens that did not come yet.
func (v *Verifier) makeCache() {
	cache, err := lru.New[hash, *verified](v.CacheSize)
	if err != nil {
		panic(err) // for a size below one alone, with which nobody gets here
	}
	v.cache = cache
}
