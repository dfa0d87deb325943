package journey_test

import (
	"bytes"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpauth/mcpauth/test/journey"
	"github.com/mcpauth/mcpauth/test/journey/journeytest"
)

func options(world *journeytest.World, out *bytes.Buffer) journey.Options {
	return journey.Options{
		MCPURL:   world.MCPURL,
		Username: journeytest.Username,
		Password: journeytest.Password,
		StepUp:   journey.StepUpRequired,
		Out:      out,
	}
}

func TestTheJourneyHoldsWhereEveryPromiseIsKept(t *testing.T) {
	world := journeytest.New(t, journeytest.Faults{})
	var out bytes.Buffer
	if err := journey.Run(t.Context(), options(world, &out)); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	t.Log(out.String())
	if got := strings.Count(out.String(), "✓"); got != 11 {
		t.Errorf("%d steps held, want 11", got)
	}
	tasks := world.Store.List()
	if len(tasks) != 1 || tasks[0].Owner.Email != journeytest.Email {
		t.Errorf("tasks left behind: %+v, want one of %s", tasks, journeytest.Email)
	}
}

func TestTheStoryShowsNoSecretsAndNoColours(t *testing.T) {
	world := journeytest.New(t, journeytest.Faults{})
	var out bytes.Buffer
	if err := journey.Run(t.Context(), options(world, &out)); err != nil {
		t.Fatal(err)
	}
	secret := regexp.MustCompile(`(code|access|refresh)-[A-Z2-7]{6}`)
	for _, shown := range []string{secret.FindString(out.String()), journeytest.Password, "\x1b["} {
		if shown != "" && strings.Contains(out.String(), shown) {
			t.Errorf("the story shows %q", shown)
		}
	}
}

func TestTheClientDiscoversRegistersAndExchangesByItself(t *testing.T) {
	world := journeytest.New(t, journeytest.Faults{})
	opts := options(world, new(bytes.Buffer))
	opts.StepUp = journey.StepUpNever
	if err := journey.Run(t.Context(), opts); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"POST /mcp", // by hand, without a token
		"POST /mcp", // the SDK's first
		"GET /.well-known/oauth-protected-resource/mcp",
		"GET /.well-known/oauth-authorization-server/resources/todo",
		"POST /resources/todo/client_register",
		"GET /authorize", "POST /sign-in", "GET /authorize", "POST /consent",
		"POST /token",
		"POST /mcp",
	}
	if diff := cmp.Diff(want, world.Requests()[:len(want)]); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestABrokenPromiseFailsTheStepThatMeetsIt(t *testing.T) {
	tests := []struct {
		name   string
		faults journeytest.Faults
		step   int
		got    string
	}{
		{"a challenge without scope", journeytest.Faults{NoScopeHint: true}, 1, "resource_metadata"},
		{"another issuer beside the code", journeytest.Faults{WrongIssuer: true}, 4, "iss=http://127.0.0.1"},
		{"more scopes than agreed", journeytest.Faults{ExtraScope: true}, 8, "carried out"},
		{"scopes that nobody enforces", journeytest.Faults{Unenforced: true}, 8, "carried out"},
		{"a refusal that comes too late", journeytest.Faults{CarriesOut: true}, 8, "created all the same"},
		{"a refusal that names no scope", journeytest.Faults{NoWriteScope: true}, 9, "(none)"},
		{"a refresh token that stays", journeytest.Faults{KeepsRefresh: true}, 10, "the old one"},
		{"a revocation without effect", journeytest.Faults{IgnoresRevocation: true}, 11, "a new token"},
		{"an access token that outlives its grant", journeytest.Faults{KeepsAccess: true}, 11, "200 OK"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			err := journey.Run(t.Context(), options(journeytest.New(t, test.faults), &out))
			var failure *journey.StepError
			if !errors.As(err, &failure) {
				t.Fatalf("Run returned %v, want a StepError\n%s", err, &out)
			}
			if failure.Number != test.step || !strings.Contains(failure.Got, test.got) {
				t.Errorf("got %v, want step %d to fail with %q", failure, test.step, test.got)
			}
			if !strings.Contains(out.String(), "✗") {
				t.Errorf("the story does not show the failure:\n%s", &out)
			}
		})
	}
}

func TestAStepUpThatNoScopeOffersIsPassedOver(t *testing.T) {
	world := journeytest.New(t, journeytest.Faults{NoWriteScope: true})
	var out bytes.Buffer
	opts := options(world, &out)
	opts.StepUp = journey.StepUpIfOffered
	if err := journey.Run(t.Context(), opts); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "– the challenge names no scope") {
		t.Errorf("the story does not say that a step was passed over:\n%s", &out)
	}
	if tasks := world.Store.List(); len(tasks) != 0 {
		t.Errorf("tasks appeared: %v", tasks)
	}
}

func TestAWrongPasswordIssuesNothing(t *testing.T) {
	world := journeytest.New(t, journeytest.Faults{})
	opts := options(world, new(bytes.Buffer))
	opts.Password = "wrong"
	err := journey.Run(t.Context(), opts)
	var failure *journey.StepError
	if !errors.As(err, &failure) || failure.Number != 4 || !errors.Is(err, journey.ErrSignInRefused) {
		t.Errorf("got %v, want step 4 to fail with ErrSignInRefused", err)
	}
	if slices.Contains(world.Requests(), "POST /token") {
		t.Error("a token was asked for")
	}
}

func TestOptionsThatMakeNoJourneyAreRefused(t *testing.T) {
	tests := []struct {
		name string
		opts journey.Options
	}{
		{"no password", journey.Options{Username: "alice"}},
		{"no username", journey.Options{Password: "secret"}},
		{"a relative URL", journey.Options{MCPURL: "/mcp", Username: "alice", Password: "secret"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var failure *journey.StepError
			if err := journey.Run(t.Context(), test.opts); err == nil || errors.As(err, &failure) {
				t.Errorf("got %v, want an error before the first step", err)
			}
		})
	}
}
