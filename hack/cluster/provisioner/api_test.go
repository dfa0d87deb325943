package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// answers is an API server with one claim, which answers writes with a status.
func answers(t *testing.T, status int, written *[]string) *api {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method != http.MethodGet:
			*written = append(*written, r.Method+" "+r.URL.Path)
			w.WriteHeader(status)
			_, _ = w.Write([]byte(`{"kind":"Status","message":"because"}`))
		case r.URL.Path == "/api/v1/persistentvolumeclaims":
			_ = json.NewEncoder(w).Encode(map[string]any{"items": []claim{waiting(nil)}})
		default:
			_ = json.NewEncoder(w).Encode(map[string]any{"items": []volume{existing("pvc-old", "Released", provisionerName)}})
		}
	}))
	t.Cleanup(server.Close)
	return &api{server: server.URL, http: server.Client()}
}

func TestStepMakesAndRemovesFoldersWithTheirVolumes(t *testing.T) {
	var written []string
	p := provisioner{api: answers(t, http.StatusOK, &written), folder: t.TempDir(), node: "mcpauth"}
	old := filepath.Join(p.folder, "pvc-old", "deep")
	if err := os.MkdirAll(old, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := p.step(context.Background()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(p.folder, "pvc-u1"))
	if err != nil || info.Mode().Perm() != 0o777 {
		t.Errorf("the new folder is not for every user: %v, %v", info, err)
	}
	if _, err := os.Stat(filepath.Dir(old)); !os.IsNotExist(err) {
		t.Errorf("the folder of the released volume: %v", err)
	}
	want := "POST /api/v1/persistentvolumes, DELETE /api/v1/persistentvolumes/pvc-old"
	if got := strings.Join(written, ", "); got != want {
		t.Errorf("calls: %s, want %s", got, want)
	}
}

func TestAVolumeThatIsThereAlreadyIsNoError(t *testing.T) {
	var written []string
	if err := answers(t, http.StatusConflict, &written).createVolume(context.Background(), object{}); err != nil {
		t.Error(err)
	}
	if err := answers(t, http.StatusNotFound, &written).deleteVolume(context.Background(), "x"); err != nil {
		t.Error(err)
	}
}

func TestARefusalCarriesTheServersReason(t *testing.T) {
	var written []string
	err := answers(t, http.StatusForbidden, &written).createVolume(context.Background(), object{})
	if err == nil || !strings.Contains(err.Error(), "403: because") {
		t.Errorf("error: %v", err)
	}
}
