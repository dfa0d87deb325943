package keyring

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"math/big"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

func TestAPublishedKeyVerifiesWhatItSigned(t *testing.T) {
	for _, alg := range algorithms {
		t.Run(string(alg), func(t *testing.T) {
			ring := ringOf(t, alg)
			var set jose.JSONWebKeySet
			if err := json.Unmarshal(ring.JWKSDocument(), &set); err != nil {
				t.Fatal(err)
			}
			for _, typ := range []string{"at+jwt", "JWT", "", `ty"p`} {
				text, err := ring.Active().SignCompact(typ, []byte(`{"a":1}`))
				if err != nil {
					t.Fatal(err)
				}
				jws, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
				if err != nil {
					t.Fatal(err)
				}
				payload, err := jws.Verify(set.Keys[0])
				if err != nil || string(payload) != `{"a":1}` {
					t.Errorf("got %s, %v", payload, err)
				}
				head := jws.Signatures[0].Protected
				stated, named := head.ExtraHeaders[jose.HeaderType]
				if head.KeyID != ring.Active().KeyID() || head.Algorithm != string(alg) || named != (typ != "") || named && stated != typ {
					t.Errorf("typ %q: the header is %+v", typ, head)
				}
			}
		})
	}
}

func TestTheZeroKeySignsNothing(t *testing.T) {
	key := &Key{ID: "k", Algorithm: RS256}
	if _, err := key.Sign([]byte("x")); err == nil {
		t.Error("Sign gave a signature")
	}
	if _, err := key.SignCompact("at+jwt", []byte("{}")); err == nil {
		t.Error("SignCompact gave a token")
	}
	if key.Backend() != "" {
		t.Errorf("Backend is %q", key.Backend())
	}
}

func TestManyTypesGrowNothing(t *testing.T) {
	key := ringOf(t, EdDSA).Active()
	for n := range 4 * memoSize {
		if _, err := key.SignCompact(strings.Repeat("t", n), nil); err != nil {
			t.Fatal(err)
		}
	}
	if known := key.private.heads.known.Load(); len(*known) != memoSize {
		t.Errorf("%d headers are remembered", len(*known))
	}
}

// pair is one RSA key with both backends. It skips the test where OpenSSL's library
// cannot be loaded.
func pair(t testing.TB, key *rsa.PrivateKey) (fast, plain backend) {
	t.Helper()
	fast, ok := newOpenSSL(key)
	if !ok {
		t.Skip("OpenSSL's library is not on this machine or the program has no cgo")
	}
	return fast, goRSA{key}
}

func rsaKey(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// PKCS #1 v1.5 has no randomness, so that two correct programs agree to the byte.
func TestOpenSSLAndGoGiveTheSameSignature(t *testing.T) {
	for _, bits := range []int{2048, 2056, 3072} {
		fast, plain := pair(t, rsaKey(t, bits))
		inputs := [][]byte{nil, {}, {0}, []byte("input"), bytes.Repeat([]byte{0xff}, 63), bytes.Repeat([]byte("a"), 64), bytes.Repeat([]byte("long "), 20_000)}
		for n := range 50 {
			inputs = append(inputs, bytes.Repeat([]byte{byte(n)}, n))
		}
		for _, input := range inputs {
			got, err := fast.sign(input)
			if err != nil {
				t.Fatal(err)
			}
			want, err := plain.sign(input)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) || len(got) != fast.size() || fast.size() != plain.size() {
				t.Errorf("%d bits, input of %d bytes: openssl %x, go %x", bits, len(input), got, want)
			}
		}
	}
}

func TestOpenSSLSignsFromManyGoroutines(t *testing.T) {
	key := rsaKey(t, 2048)
	fast, plain := pair(t, key)
	var wg sync.WaitGroup
	for n := range 32 {
		wg.Go(func() {
			input := []byte{byte(n)}
			want, _ := plain.sign(input)
			for range 20 {
				if got, err := fast.sign(input); err != nil || !bytes.Equal(got, want) {
					t.Errorf("got %x, %v; want %x", got, err, want)
				}
			}
		})
	}
	wg.Wait()
}

// A key that OpenSSL would sign wrongly with is left to Go's code, which says what is
// wrong or signs rightly: the same result as without OpenSSL.
func TestDamagedKeysBehaveTheSameWithAndWithoutOpenSSL(t *testing.T) {
	pair(t, rsaKey(t, 2048))
	for name, damage := range map[string]func(*rsa.PrivateKey){
		"nothing precomputed":    func(k *rsa.PrivateKey) { k.Precomputed = rsa.PrecomputedValues{} },
		"another exponent dP":    func(k *rsa.PrivateKey) { k.Precomputed.Dp = new(big.Int).Add(k.Precomputed.Dp, big.NewInt(2)) },
		"another coefficient":    func(k *rsa.PrivateKey) { k.Precomputed.Qinv = new(big.Int).Sub(k.Precomputed.Qinv, big.NewInt(1)) },
		"no primes":              func(k *rsa.PrivateKey) { k.Primes, k.Precomputed = nil, rsa.PrecomputedValues{} },
		"another private number": func(k *rsa.PrivateKey) { k.D = new(big.Int).Add(k.D, big.NewInt(2)) },
		"another modulus":        func(k *rsa.PrivateKey) { k.N = new(big.Int).Add(k.N, big.NewInt(2)) },
		"a zero in the primes":   func(k *rsa.PrivateKey) { k.Primes = []*big.Int{new(big.Int), k.Primes[1]} },
	} {
		t.Run(name, func(t *testing.T) {
			key := rsaKey(t, 2048)
			damage(key)
			chosen, err := Options{}.backend(key)
			if err != nil {
				t.Fatal(err)
			}
			plain := goRSA{key}
			got, gotErr := chosen.sign([]byte("input"))
			want, wantErr := plain.sign([]byte("input"))
			if chosen.name() == plain.name() {
				if !bytes.Equal(got, want) || (gotErr == nil) != (wantErr == nil) {
					t.Errorf("got %x, %v; want %x, %v", got, gotErr, want, wantErr)
				}
				return
			}
			digest := sha256.Sum256([]byte("input"))
			if gotErr != nil || rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest[:], got) != nil {
				t.Errorf("%s was chosen and does not sign: %v", chosen.name(), gotErr)
			}
		})
	}
}

func TestOpenSSLIsUsedUnlessOptionsSayNo(t *testing.T) {
	fast, plain := pair(t, rsaKey(t, 2048))
	with := newRing(t)
	without, err := Options{WithoutOpenSSL: true}.Decode(encoded(t, with))
	if err != nil {
		t.Fatal(err)
	}
	if got := with.Active().Backend(); got != fast.name() || !strings.HasPrefix(got, "openssl 3.") {
		t.Errorf("the backend is %q", got)
	}
	if got := without.Active().Backend(); got != plain.name() {
		t.Errorf("without OpenSSL the backend is %q", got)
	}
	one, err := with.Active().SignCompact("at+jwt", []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if other, err := without.Active().SignCompact("at+jwt", []byte("{}")); err != nil || other != one {
		t.Errorf("the same ring signs differently: %s, %s, %v", one, other, err)
	}
}

// crowd counts how many signatures are being made at a time.
type crowd struct {
	now, most atomic.Int64
	proceed   chan struct{}
}

func (c *crowd) name() string { return "crowd" }
func (c *crowd) size() int    { return 1 }
func (c *crowd) sign([]byte) ([]byte, error) {
	n := c.now.Add(1)
	defer c.now.Add(-1)
	for most := c.most.Load(); n > most && !c.most.CompareAndSwap(most, n); most = c.most.Load() {
	}
	<-c.proceed
	return []byte{0}, nil
}

func TestAllKeysOfARingShareAsManyTurnsAsThereAreCores(t *testing.T) {
	shared, c := newTurns(0), &crowd{proceed: make(chan struct{})}
	var keys []*Key
	for range 3 {
		key, err := Options{}.makeKey(EdDSA, ringOf(t, EdDSA).Active().private.key, now, shared)
		if err != nil {
			t.Fatal(err)
		}
		key.private.backend = c
		keys = append(keys, &key)
	}
	var wg sync.WaitGroup
	signs := 8 * runtime.GOMAXPROCS(0)
	for n := range signs {
		wg.Go(func() {
			if _, err := keys[n%len(keys)].SignCompact("at+jwt", nil); err != nil {
				t.Error(err)
			}
		})
	}
	for range signs {
		c.proceed <- struct{}{}
	}
	wg.Wait()
	if most := c.most.Load(); most > int64(runtime.GOMAXPROCS(0)) {
		t.Errorf("%d signatures were made at a time on %d cores", most, runtime.GOMAXPROCS(0))
	}
}

func BenchmarkSign(b *testing.B) {
	for _, bench := range []struct {
		name    string
		alg     Algorithm
		options Options
	}{
		{"RS256", RS256, Options{}},
		{"RS256-go", RS256, Options{WithoutOpenSSL: true}},
		{"ES256", ES256, Options{}},
		{"EdDSA", EdDSA, Options{}},
	} {
		ring, err := bench.options.New(bench.alg, now)
		if err != nil {
			b.Fatal(err)
		}
		key := ring.Active()
		payload := bytes.Repeat([]byte("x"), 600)
		b.Run(bench.name+"/alone/"+strings.ReplaceAll(key.Backend(), " ", "-"), func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := key.private.backend.sign(payload); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
		b.Run(bench.name+"/compact", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := key.SignCompact("at+jwt", payload); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
		b.Run(bench.name+"/compact-of-64-at-once", func(b *testing.B) {
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := key.SignCompact("at+jwt", payload); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// BenchmarkTurn is what waiting in line costs when there is no line.
func BenchmarkTurn(b *testing.B) {
	t := newTurns(0)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			done, err := t.take()
			if err != nil {
				b.Error(err)
				return
			}
			done()
		}
	})
}
