package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestChooseTakesAllImagesForNoName(t *testing.T) {
	chosen, err := choose(nil)
	if err != nil {
		t.Fatal(err)
	}
	var references []string
	for _, i := range chosen {
		references = append(references, i.reference("dev"))
	}
	want := []string{"mcpauth/operator:dev", "mcpauth/authserver:dev", "mcpauth/sidecar:dev", "mcpauth/todo:dev", "mcpauth/dial:dev"}
	if diff := cmp.Diff(want, references); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
}

func TestChooseKeepsTheOrderOfTheNames(t *testing.T) {
	chosen, err := choose([]string{"todo", "sidecar"})
	if err != nil {
		t.Fatal(err)
	}
	if len(chosen) != 2 || chosen[0].name != "todo" || chosen[1].name != "sidecar" {
		t.Errorf("chosen: %v", chosen)
	}
}

func TestChooseNamesTheImagesThereAre(t *testing.T) {
	_, err := choose([]string{"todo", "nothing"})
	if err == nil || !strings.Contains(err.Error(), `"nothing"`) || !strings.Contains(err.Error(), "sidecar") {
		t.Errorf("error: %v", err)
	}
}
