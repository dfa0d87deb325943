package accesstoken_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/mcpauth/mcpauth/oauth/accesstoken"
)

// Whatever stands in the header and the query: nobody gets in but with the one token
// that was signed, and nothing of it comes back in an answer.
func FuzzAuthenticate(f *testing.F) {
	g := newGuarded(f)
	good, held := sign(f, g.ring), sign(f, g.ring, bound)
	for _, header := range []string{
		"", "Bearer", "Bearer x", "Bearer " + good, "bearer  " + good, "DPoP " + good, "Bearer " + held, "DPoP " + held,
		"Bearer " + good + ", Bearer " + good, "Bearer eyJhbGciOiJub25lIn0.e30.", "Basic YTpi", "Bearer\t" + good,
	} {
		f.Add(header, "", "")
	}
	f.Add("Bearer "+good, "access_token=x", "")
	f.Add("DPoP "+held, "", "proof")
	f.Fuzz(func(t *testing.T, authorization, rawQuery, proof string) {
		r := post(with("Authorization", authorization), query(rawQuery))
		if proof != "" {
			r.Header.Set("DPoP", proof)
		}
		got, err := g.Authenticate(r)
		if err == nil {
			scheme, _, _ := strings.Cut(authorization, " ")
			if got.Token != good || !strings.EqualFold(scheme, "Bearer") || !strings.HasSuffix(authorization, " "+good) || strings.HasPrefix(rawQuery, "access_token=") {
				t.Errorf("%q with %q passed as %+v", authorization, rawQuery, got)
			}
			return
		}
		var refusal *accesstoken.Refusal
		switch {
		case !errors.As(err, &refusal) || got != (accesstoken.Presented{}):
			t.Errorf("%q: got %+v, %v", authorization, got, err)
		case refusal.Status != http.StatusUnauthorized && refusal.Status != http.StatusBadRequest:
			t.Errorf("%q: a stranger made us answer %d", authorization, refusal.Status)
		case strings.Contains(strings.Join(refusal.Challenges, ""), good):
			t.Errorf("%q: the answer quotes the token", authorization)
		}
	})
}
