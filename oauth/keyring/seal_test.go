package keyring

import (
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
)

func TestWhatIsSealedOpensForItsPurposeOnly(t *testing.T) {
	ring, other := newRing(t), newRing(t)
	sealed, err := ring.Seal("authorize", []byte("the state"))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := ring.Open("authorize", sealed); err != nil || string(text) != "the state" {
		t.Fatalf("Open: %q, %v", text, err)
	}
	id, box, _ := strings.Cut(sealed, ".")
	otherID := other.sealing[0].id
	for name, try := range map[string]struct {
		ring            *Ring
		purpose, sealed string
	}{
		"another purpose":        {ring, "login", sealed},
		"no purpose":             {ring, "", sealed},
		"another ring":           {other, "authorize", sealed},
		"another ring's key id":  {other, "authorize", otherID + "." + box},
		"no key id":              {ring, "authorize", "." + box},
		"no box":                 {ring, "authorize", id + "."},
		"no dot":                 {ring, "authorize", id + box},
		"nothing":                {ring, "authorize", ""},
		"a character changed":    {ring, "authorize", id + "." + flip(box, 20)},
		"the nonce changed":      {ring, "authorize", id + "." + flip(box, 0)},
		"a character less":       {ring, "authorize", sealed[:len(sealed)-4]},
		"a character more":       {ring, "authorize", sealed + "AAAA"},
		"padding":                {ring, "authorize", sealed + "="},
		"a line break within it": {ring, "authorize", id + "." + box[:8] + "\n" + box[8:]},
		"much of nothing":        {ring, "authorize", id + "." + strings.Repeat("A", 1<<16)},
	} {
		if text, err := try.ring.Open(try.purpose, try.sealed); !errors.Is(err, ErrNotSealed) || text != nil {
			t.Errorf("%s: got %q, %v", name, text, err)
		}
	}
}

// flip changes one character of base64url.
func flip(s string, i int) string {
	c := byte('A')
	if s[i] == c {
		c = 'B'
	}
	return s[:i] + string(c) + s[i+1:]
}

func TestSealingHidesTheTextAndNeverRepeats(t *testing.T) {
	ring := newRing(t)
	seen := map[string]bool{}
	for range 50 {
		sealed, err := ring.Seal("p", []byte("the same text"))
		if err != nil || seen[sealed] {
			t.Fatalf("%q came twice, or %v", sealed, err)
		}
		seen[sealed] = true
		if rest := strings.Trim(sealed, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."); rest != "" {
			t.Errorf("%q does not fit a URL: %q", sealed, rest)
		}
	}
}

func TestAnEmptyTextIsSealedToo(t *testing.T) {
	ring := newRing(t)
	sealed, err := ring.Seal("p", nil)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := ring.Open("p", sealed); err != nil || len(text) != 0 {
		t.Errorf("got %q, %v", text, err)
	}
}

func TestWhatAnOlderKeySealedOpensUntilTheKeyIsGone(t *testing.T) {
	ring := newRing(t)
	sealed, err := ring.Seal("p", []byte("text"))
	if err != nil {
		t.Fatal(err)
	}
	mac := ring.MAC("p", "message")
	older := ring.sealing[0]
	newest, err := newSealingKey()
	if err != nil {
		t.Fatal(err)
	}
	rotated := &Ring{signing: ring.signing, sealing: []sealingKey{older, newest}}
	if text, err := rotated.Open("p", sealed); err != nil || string(text) != "text" {
		t.Errorf("after a rotation: %q, %v", text, err)
	}
	if !rotated.VerifyMAC("p", "message", mac) {
		t.Error("after a rotation the older key's MAC does not hold")
	}
	if newer, _ := rotated.Seal("p", nil); strings.HasPrefix(newer, older.id+".") {
		t.Error("the older key still seals")
	}
	gone := &Ring{signing: ring.signing, sealing: rotated.sealing[1:]}
	if _, err := gone.Open("p", sealed); !errors.Is(err, ErrNotSealed) {
		t.Errorf("after its removal: %v", err)
	}
	if gone.VerifyMAC("p", "message", mac) {
		t.Error("after its removal its MAC still holds")
	}
}

func TestAMACHoldsForItsPurposeAndMessageOnly(t *testing.T) {
	ring, other := newRing(t), newRing(t)
	mac := ring.MAC("refresh", "grant-1.7")
	if !ring.VerifyMAC("refresh", "grant-1.7", mac) {
		t.Fatal("VerifyMAC refuses MAC's own")
	}
	if mac != ring.MAC("refresh", "grant-1.7") {
		t.Error("the same message has another MAC: a rotation could not repeat its successor")
	}
	id, sum, _ := strings.Cut(mac, ".")
	for name, try := range map[string]struct {
		ring                  *Ring
		purpose, message, mac string
	}{
		"another message":                        {ring, "refresh", "grant-1.8", mac},
		"another purpose":                        {ring, "code", "grant-1.7", mac},
		"purpose and message shifted":            {ring, "refreshg", "rant-1.7", mac},
		"another ring":                           {other, "refresh", "grant-1.7", mac},
		"another ring's key id":                  {other, "refresh", "grant-1.7", other.sealing[0].id + "." + sum},
		"no sum":                                 {ring, "refresh", "grant-1.7", id + "."},
		"nothing":                                {ring, "refresh", "grant-1.7", ""},
		"half a sum":                             {ring, "refresh", "grant-1.7", mac[:len(mac)/2]},
		"a character changed":                    {ring, "refresh", "grant-1.7", id + "." + flip(sum, 5)},
		"the last character's unused bits used":  {ring, "refresh", "grant-1.7", mac[:len(mac)-1] + nextInBase64(mac[len(mac)-1])},
		"a line break, which base64 would allow": {ring, "refresh", "grant-1.7", mac + "\n"},
	} {
		if try.ring.VerifyMAC(try.purpose, try.message, try.mac) {
			t.Errorf("%s: it holds", name)
		}
	}
}

// nextInBase64 is the character one bit up: behind a SHA-256 the last two bits of
// the last character are unused.
func nextInBase64(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, c)+1])
}

func TestAMACIsNoSealAndNoSealAMAC(t *testing.T) {
	ring := newRing(t)
	if _, err := ring.Open("p", ring.MAC("p", "m")); !errors.Is(err, ErrNotSealed) {
		t.Errorf("a MAC opens: %v", err)
	}
	sealed, err := ring.Seal("p", []byte("m"))
	if err != nil {
		t.Fatal(err)
	}
	if ring.VerifyMAC("p", "m", sealed) {
		t.Error("a sealed text is a MAC")
	}
}

func TestManyPurposesAtOnceKeepTheirMACsAndGrowNothing(t *testing.T) {
	ring := newRing(t)
	fresh, err := Decode(encoded(t, ring))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for n := range 4 * memoSize {
		wg.Go(func() {
			purpose := strconv.Itoa(n)
			mac := ring.MAC(purpose, "m")
			if mac != ring.MAC(purpose, "m") || !fresh.VerifyMAC(purpose, "m", mac) {
				t.Errorf("purpose %s: the MAC depends on what was asked before", purpose)
			}
		})
	}
	wg.Wait()
	if known := ring.sealing[0].macKeys.known.Load(); len(*known) > memoSize {
		t.Errorf("%d derived keys are remembered", len(*known))
	}
}

func BenchmarkMAC(b *testing.B) {
	ring := ringOf(b, EdDSA)
	b.ReportAllocs()
	for b.Loop() {
		ring.MAC("refresh", "grant-1.7")
	}
}

func BenchmarkSeal(b *testing.B) {
	ring, text := ringOf(b, EdDSA), make([]byte, 600)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ring.Seal("authorize", text); err != nil {
			b.Fatal(err)
		}
	}
}
