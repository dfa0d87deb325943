//go:build linux

package node

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the golden files anew")

// example has a value of its own in every setting.
func example() settings {
	return settings{
		Name: "example", Dir: "/cache/clusters/example", Cgroup: "mcpauth-example",
		ContainerdSocket: "/cache/clusters/example/containerd/containerd.sock",
		Snapshotter:      "overlayfs", CNIFolder: "/usr/lib/cni", PauseImage: "docker.io/mcpauth/pause:v1",
		NodeAddress: nodeAddress, PodSubnet: podSubnet, ClusterDomain: clusterDomain,
		APIServer: apiServer, DNSReadyAddress: dnsReadyAddress,
	}
}

func TestConfigurationIsAsTheGoldenFilesSay(t *testing.T) {
	for name := range configFiles() {
		t.Run(name, func(t *testing.T) {
			got, err := example().render(name)
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", name)
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		})
	}
}

func TestEveryTemplateAndGoldenFileIsUsed(t *testing.T) {
	for _, folder := range []string{"templates", "testdata"} {
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if configFiles()[entry.Name()] == "" {
				t.Errorf("%s/%s is stale", folder, entry.Name())
			}
		}
	}
}

func TestConfigurationIsWellFormed(t *testing.T) {
	for _, name := range []string{"kubelet.yaml", "kube-proxy.yaml", "bootstrap.yaml", "pods.conflist"} {
		content, err := example().render(name)
		if err != nil {
			t.Fatal(err)
		}
		for i, document := range bytes.Split(content, []byte("\n---\n")) {
			var parsed map[string]any
			err := yaml.UnmarshalStrict(document, &parsed)
			if filepath.Ext(name) == ".conflist" {
				err = json.Unmarshal(document, &parsed)
			}
			if err != nil || len(parsed) == 0 {
				t.Errorf("%s, document %d: %v", name, i, err)
			}
		}
	}
}
