package crash_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/oauth"
)

// app is an app on somebody's computer: it has got some grants, and knows of each the
// refresh token of the last answer that reached it. One goroutine uses it.
type app struct {
	issuer string
	http   *http.Client
	grants []*grant
	// lost are codes that were sent and not answered, and unanswered is how many uses
	// of refresh tokens were.
	lost       []string
	unanswered int
}

// grant is what an app has got for a code.
type grant struct{ code, token string }

// maxGrants bounds what an app keeps, so that each is used often.
const maxGrants = 6

func newApps(t *testing.T, w *world, n int) []*app {
	t.Helper()
	apps := make([]*app, n)
	for i := range apps {
		transport := &http.Transport{}
		t.Cleanup(transport.CloseIdleConnections)
		apps[i] = &app{issuer: w.Issuer, http: &http.Client{Transport: transport, Timeout: silence}}
	}
	return apps
}

// errLost says that no answer came, or none that tells what has happened.
var errLost = errors.New("no answer")

// refusal is an answer that something is not allowed.
type refusal struct {
	status int
	body   string
}

func (r *refusal) Error() string { return fmt.Sprintf("refused with %d: %s", r.status, r.body) }

// busy redeems codes and uses refresh tokens until over ends or an answer is lost. A
// refusal is an error: an app that does as it should is never refused. Connections are
// cut when ctx ends.
func (a *app) busy(ctx, over context.Context) error {
	for over.Err() == nil {
		err := a.step(ctx)
		if errors.Is(err, errLost) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *app) step(ctx context.Context) error {
	if len(a.grants) == 0 || rand.IntN(3) == 0 {
		return a.begin(ctx)
	}
	err := a.refresh(ctx, a.grants[rand.IntN(len(a.grants))])
	if errors.Is(err, errLost) {
		a.unanswered++
	}
	return err
}

// begin gets a code and redeems it.
func (a *app) begin(ctx context.Context) error {
	body, err := a.post(ctx, codePath, nil)
	if err != nil {
		return err
	}
	code := string(body)
	token, err := a.redeem(ctx, code)
	if errors.Is(err, errLost) {
		a.lost = append(a.lost, code)
	}
	if err == nil {
		a.grants = append(a.grants, &grant{code: code, token: token})
		a.grants = a.grants[max(0, len(a.grants)-maxGrants):]
	}
	return err
}

func (a *app) redeem(ctx context.Context, code string) (token string, err error) {
	return a.token(ctx, url.Values{
		"grant_type": {oauth.GrantAuthorizationCode}, "client_id": {appID}, "code": {code},
		"redirect_uri": {appRedirect}, "code_verifier": {verifier},
	})
}

// refresh uses the grant's token and keeps the next one, if it comes.
func (a *app) refresh(ctx context.Context, g *grant) error {
	token, err := a.token(ctx, url.Values{"grant_type": {oauth.GrantRefreshToken}, "client_id": {appID}, "refresh_token": {g.token}})
	if err == nil {
		g.token = token
	}
	return err
}

// token sends a token request and returns the refresh token of the answer.
func (a *app) token(ctx context.Context, form url.Values) (string, error) {
	body, err := a.post(ctx, "/resources/"+string(resourceID)+"/oauth/token", form)
	if err != nil {
		return "", err
	}
	var answer struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.AccessToken == "" || answer.RefreshToken == "" {
		return "", fmt.Errorf("the answer holds no tokens: %s", body)
	}
	return answer.RefreshToken, nil
}

// post sends a form. An answer that was cut short, or that says that the server or its
// database failed, tells nothing: it counts as lost.
func (a *app) post(ctx context.Context, path string, form url.Values) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.issuer+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := a.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errLost, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errLost, err)
	case response.StatusCode >= http.StatusInternalServerError:
		return nil, fmt.Errorf("%w: %d: %s", errLost, response.StatusCode, body)
	case response.StatusCode != http.StatusOK:
		return nil, &refusal{response.StatusCode, string(body)}
	}
	return body, nil
}

// together runs f for every app at once and reports what went wrong.
func together(t *testing.T, apps []*app, f func(*app) error) {
	t.Helper()
	errs := make([]error, len(apps))
	var group sync.WaitGroup
	for i, a := range apps {
		group.Go(func() { errs[i] = f(a) })
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
}

// insist repeats what got no answer, as an app does: a server may have connections to
// its database that it does not know to be dead.
func insist(try func() error) error {
	for deadline := time.Now().Add(patience); ; {
		if err := try(); !errors.Is(err, errLost) || time.Now().After(deadline) {
			return err
		}
	}
}

// afterwards holds an app against what it had before a crash. Everything runs again.
func (a *app) afterwards(ctx context.Context) error {
	for _, g := range a.grants {
		if err := insist(func() error { return a.refresh(ctx, g) }); err != nil {
			return fmt.Errorf("an app lost its grant: the last refresh token that it received is no good: %w", err)
		}
	}
	for _, code := range a.lost {
		if err := a.atMostOnce(ctx, code); err != nil {
			return err
		}
	}
	a.lost = nil
	return a.sacrifice(ctx)
}

// atMostOnce repeats a code whose answer was lost. It may work now, if it has not
// before: there is no telling. It never works twice.
func (a *app) atMostOnce(ctx context.Context, code string) error {
	worked := 0
	for range 3 {
		err := insist(func() error {
			_, err := a.redeem(ctx, code)
			return err
		})
		switch {
		case err == nil:
			worked++
		case !isRefusal(err):
			return err
		}
	}
	if worked > 1 {
		return fmt.Errorf("a code worked %d times", worked)
	}
	return nil
}

// sacrifice replays the code of the oldest grant, whose answer the app has: that is
// refused, and ends the grant.
func (a *app) sacrifice(ctx context.Context) error {
	if len(a.grants) == 0 {
		return nil
	}
	oldest := a.grants[0]
	a.grants = a.grants[1:]
	err := insist(func() error {
		_, err := a.redeem(ctx, oldest.code)
		return err
	})
	if !isRefusal(err) {
		return fmt.Errorf("a code whose answer had come was not refused: %w", orWorked(err))
	}
	if err := insist(func() error { return a.refresh(ctx, oldest) }); !isRefusal(err) {
		return fmt.Errorf("a grant lives on whose code was replayed: %w", orWorked(err))
	}
	return nil
}

var errWorked = errors.New("it worked")

func orWorked(err error) error {
	if err == nil {
		return errWorked
	}
	return err
}

func isRefusal(err error) bool {
	var r *refusal
	return errors.As(err, &r) && r.status == http.StatusBadRequest && strings.Contains(r.body, string(oauth.InvalidGrant))
}
