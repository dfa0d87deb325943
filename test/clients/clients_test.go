package clients_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpauth/mcpauth/test/clients"
	"github.com/mcpauth/mcpauth/test/clients/clientstest"
	"github.com/mcpauth/mcpauth/test/journey/journeytest"
)

func arguments(world *journeytest.World, password string) []string {
	return []string{"--url", world.MCPURL, "--username", journeytest.Username, "--password", password}
}

func names(steps []clients.Step) []string {
	var names []string
	for _, step := range steps {
		names = append(names, step.Name)
	}
	return names
}

func TestBothSDKsLiveThroughTheStory(t *testing.T) {
	node := clientstest.Install(t)
	want := []string{"connect", "authorize", "token", "list_tools", "list_tasks", "create_task_refused", "refresh"}
	for _, script := range []string{clients.SDKv1, clients.ClientV2} {
		t.Run(script, func(t *testing.T) {
			world := journeytest.New(t, journeytest.Faults{})
			steps, err := node.Run(t.Context(), script, arguments(world, journeytest.Password)...)
			for _, step := range steps {
				t.Logf("%s", step.Line)
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, names(steps)); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
			if tasks := world.Store.List(); len(tasks) != 0 {
				t.Errorf("tasks appeared: %v", tasks)
			}
			t.Logf("requests: %s", strings.Join(world.Requests(), ", "))
		})
	}
}

func TestABrokenPromiseFailsTheStory(t *testing.T) {
	node := clientstest.Install(t)
	tests := []struct {
		name, script, password string
		faults                 journeytest.Faults
		want                   string
	}{
		{"a wrong password", clients.SDKv1, "wrong", journeytest.Faults{}, "step authorize: the sign-in page came back"},
		{"scopes that nobody enforces", clients.SDKv1, journeytest.Password, journeytest.Faults{Unenforced: true}, "step create_task_refused: create_task was carried out"},
		{"a refusal that comes too late", clients.ClientV2, journeytest.Password, journeytest.Faults{CarriesOut: true}, "created all the same"},
		{"a refresh token that stays", clients.ClientV2, journeytest.Password, journeytest.Faults{KeepsRefresh: true}, "step refresh: the refresh token was not rotated"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := node.Run(t.Context(), test.script, arguments(journeytest.New(t, test.faults), test.password)...)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}

func TestASecondInstallChangesNothing(t *testing.T) {
	first := clientstest.Install(t)
	before, err := os.Stat(first.Binary)
	if err != nil {
		t.Fatal(err)
	}
	second := clientstest.Install(t)
	after, err := os.Stat(second.Binary)
	if err != nil {
		t.Fatal(err)
	}
	if first != second || !after.ModTime().Equal(before.ModTime()) || !os.SameFile(before, after) {
		t.Errorf("installed again: %+v, then %+v", first, second)
	}
}

func TestTheLockFileNamesNoHosts(t *testing.T) {
	data, err := os.ReadFile("node/package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), `"resolved"`) {
		t.Error("package-lock.json names the hosts it was made with; keep omit-lockfile-registry-resolved in .npmrc")
	}
}
