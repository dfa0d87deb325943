package authservertest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/mcpauth/mcpauth/oauth"
)

// Verifier and Challenge are a PKCE pair (RFC 7636 appendix B).
const (
	Verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	Challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// App is a client that registered itself.
type App struct {
	ID       string `json:"client_id"`
	Secret   string `json:"client_secret"`
	Redirect string
}

// AppRedirect is where Register's client is sent back to.
const AppRedirect = "http://127.0.0.1:33418/callback"

// Register registers a public client at the sample resource; the metadata
// replace those of the default.
func (s *Server) Register(t testing.TB, metadata map[string]any) App {
	t.Helper()
	wish := map[string]any{
		"client_name": "Sample App", "redirect_uris": []string{AppRedirect}, "token_endpoint_auth_method": "none",
		"grant_types": []string{"authorization_code", "refresh_token"},
	}
	for name, value := range metadata {
		wish[name] = value
	}
	body, err := json.Marshal(wish)
	if err != nil {
		t.Fatalf("encode a registration: %v", err)
	}
	status, answer := s.Call(t, http.MethodPost, s.ResourceIssuer()+"/client_register", "application/json", string(body))
	if status != http.StatusCreated {
		t.Fatalf("registration: got status %d: %v", status, answer)
	}
	uris, _ := answer["redirect_uris"].([]any)
	app := App{ID: text(answer, "client_id"), Secret: text(answer, "client_secret")}
	app.Redirect, _ = uris[0].(string)
	return app
}

// Begin is an authorization URL of the sample resource's issuer for the app; the
// changes replace its parameters, an empty one removes it.
func (s *Server) Begin(app App, changes url.Values) string {
	return s.ResourceIssuer() + "/oauth/authorize?" + Parameters(app, changes).Encode()
}

// Parameters are those of an authorization request for the app, with changes.
func Parameters(app App, changes url.Values) url.Values {
	params := url.Values{
		"response_type": {"code"}, "client_id": {app.ID}, "redirect_uri": {app.Redirect}, "state": {"client-state"},
		"code_challenge": {Challenge}, "code_challenge_method": {oauth.ChallengeMethodS256},
		"scope": {"todo:read todo:write"}, "resource": {ResourceURL},
	}
	for name, value := range changes {
		params[name] = value
		if len(value) == 0 {
			params.Del(name)
		}
	}
	return params
}

// SignIn opens an authorization URL in a new browser, signs in as alice, approves
// and returns the parameters that the client gets.
func (s *Server) SignIn(t testing.TB, authorizeURL string) url.Values {
	t.Helper()
	return s.SignInWith(NewBrowser(t), authorizeURL, Username)
}

// SignInWith does so with a browser and a user of the caller's.
func (s *Server) SignInWith(b *Browser, authorizeURL, username string) url.Values {
	b.test.Helper()
	end := s.ConsentPage(b, authorizeURL, username)
	if end.Location == nil { // else it was approved before
		end = end.Submit("decision", url.Values{"decision": {"approve"}})
	}
	if end.Status != http.StatusSeeOther {
		b.test.Fatalf("approval: got status %d: %s", end.Status, end.Body)
	}
	return end.Location.Query()
}

// ConsentPage goes as far as the consent page, signing in where the browser has
// not. Where nothing is asked any more it returns the redirect to the client.
func (s *Server) ConsentPage(b *Browser, authorizeURL, username string) *Page {
	b.test.Helper()
	page := b.Get(authorizeURL).Follow(s.Issuer)
	if page.Has("password") {
		page = page.Submit("password", url.Values{"username": {username}, "password": {Password}}).Follow(s.Issuer)
	}
	return page
}

// Redeem exchanges the code of an authorization response at the sample
// resource's issuer.
func (s *Server) Redeem(t testing.TB, app App, answer url.Values) (int, map[string]any) {
	t.Helper()
	return s.Token(t, Exchange(app, answer.Get("code"), nil))
}

// Exchange is the form that redeems a code, with changes as in Parameters.
func Exchange(app App, code string, changes url.Values) url.Values {
	form := url.Values{
		"grant_type": {"authorization_code"}, "client_id": {app.ID}, "code": {code},
		"redirect_uri": {app.Redirect}, "code_verifier": {Verifier},
	}
	for name, value := range changes {
		form[name] = value
		if len(value) == 0 {
			form.Del(name)
		}
	}
	return form
}

// Refresh is the form that uses a refresh token.
func Refresh(app App, token string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "client_id": {app.ID}, "refresh_token": {token}}
}

// Token sends a form to the token endpoint of the sample resource's issuer.
func (s *Server) Token(t testing.TB, form url.Values) (int, map[string]any) {
	t.Helper()
	return s.Call(t, http.MethodPost, s.ResourceIssuer()+"/oauth/token", "application/x-www-form-urlencoded", form.Encode())
}

// Call sends a request and reads its JSON answer, nil where there is none.
func (s *Server) Call(t testing.TB, method, target, contentType, body string) (int, map[string]any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		t.Fatalf("make a request: %v", err)
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	return s.Do(t, request)
}

// Do sends a request and reads its JSON answer, nil where there is none.
func (s *Server) Do(t testing.TB, request *http.Request) (int, map[string]any) {
	t.Helper()
	status, answer, _ := s.DoHeader(t, request)
	return status, answer
}

// DoHeader does so and returns the answer's header too.
func (s *Server) DoHeader(t testing.TB, request *http.Request) (int, map[string]any, http.Header) {
	t.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatalf("%s %s: %v", request.Method, request.URL.Path, err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("read an answer: %v", err)
	}
	var answer map[string]any
	if len(data) > 0 {
		if err := json.Unmarshal(data, &answer); err != nil {
			t.Fatalf("%s %s answered %d, and not in JSON: %s", request.Method, request.URL.Path, response.StatusCode, data)
		}
	}
	return response.StatusCode, answer, response.Header
}

func text(answer map[string]any, name string) string {
	value, _ := answer[name].(string)
	return value
}
