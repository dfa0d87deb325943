package assertion

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// fuzzSeeds are valid assertions, always the same ones.
func fuzzSeeds(t testing.TB) []string {
	return []string{
		valid(t, ClientAuthentication, signed("EdDSA", "ed", signEdDSA)),
		valid(t, ClientAuthentication, signed("EdDSA", "", signEdDSA)),
		valid(t, Workload, signed("EdDSA", "ed", signEdDSA)),
		valid(t, IdentityGrant, signed("EdDSA", "ed", signEdDSA)),
	}
}

// FuzzVerify looks for an assertion that is accepted although nobody signed it.
func FuzzVerify(f *testing.F) {
	ours := fuzzSeeds(f)
	for _, seed := range ours {
		f.Add(seed)
	}
	keys := keySet(f)
	f.Fuzz(func(t *testing.T, raw string) {
		for _, kind := range []Kind{ClientAuthentication, IdentityGrant, Workload} {
			_, err := Verify(t.Context(), raw, keys, expect(kind))
			switch {
			case err == nil:
				for _, signed := range ours {
					if raw == signed {
						return
					}
				}
				t.Fatalf("accepted, but nobody signed it: %q", raw)
			case !errors.Is(err, ErrInvalid):
				t.Fatalf("the refusal is none: %v", err)
			}
		}
	})
}

// FuzzPeek compares our reading with that of encoding/json, in which the last of
// two members wins: of what we accept there must not be two.
func FuzzPeek(f *testing.F) {
	for _, seed := range fuzzSeeds(f) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		issuer, subject, typ, err := Peek(raw)
		if err != nil {
			if issuer+subject+typ != "" {
				t.Fatal("something was read of what is malformed")
			}
			return
		}
		parts := strings.Split(raw, ".")
		head, claims := decodeLoosely(t, parts[0]), decodeLoosely(t, parts[1])
		for _, read := range []struct {
			got  string
			from any
		}{{issuer, claims["iss"]}, {subject, claims["sub"]}, {typ, head["typ"]}} {
			if want, _ := read.from.(string); read.got != want {
				t.Errorf("we read %q, encoding/json %q", read.got, want)
			}
		}
	})
}

func decodeLoosely(t *testing.T, part string) map[string]any {
	data, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatalf("we accepted what is no base64url: %v", err)
	}
	var object map[string]any
	if err := json.Unmarshal(data, &object); err != nil {
		t.Fatalf("we accepted what encoding/json refuses: %v", err)
	}
	again, err := ParseObject(data)
	if err != nil || !reflect.DeepEqual(again, object) {
		t.Fatalf("we read %v (%v), encoding/json %v", again, err, object)
	}
	return object
}
