//go:build linux

package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const mountinfo = `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu
31 22 0:27 / /sys/fs/cgroup/unified rw,relatime shared:9 master:2 - cgroup2 cgroup2 rw
40 22 0:4 net:[4026532001] /cache/a/netns rw - nsfs nsfs rw
41 22 0:40 / /cache/a/with\040space/merged rw - overlay overlay rw
42 22 0:41 / /cache/ab/netns rw - nsfs nsfs rw
`

func TestParseMountsReadsPlacesAndKinds(t *testing.T) {
	got, err := parseMounts(strings.NewReader(mountinfo))
	if err != nil {
		t.Fatal(err)
	}
	want := []mount{
		{"/", "ext4"}, {"/sys/fs/cgroup/cpu", "cgroup"}, {"/sys/fs/cgroup/unified", "cgroup2"},
		{"/cache/a/netns", "nsfs"}, {"/cache/a/with space/merged", "overlay"}, {"/cache/ab/netns", "nsfs"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(mount{})); diff != "" {
		t.Errorf("mounts (-want +got):\n%s", diff)
	}
}

func TestParseMountsRefusesALineThatIsNone(t *testing.T) {
	if got, err := parseMounts(strings.NewReader("22 1 254:0 / / rw\n")); err == nil {
		t.Errorf("read as %v", got)
	}
}

func TestMountsAtSparesTheNeighbourWhoseNameBeginsAlike(t *testing.T) {
	all, err := parseMounts(strings.NewReader(mountinfo))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"/cache/a/with space/merged", "/cache/a/netns"}
	if diff := cmp.Diff(want, mountsAt(all, "/cache/a")); diff != "" {
		t.Errorf("mounts (-want +got):\n%s", diff)
	}
}

func TestHasControllersDemandsThemOfVersion2Alone(t *testing.T) {
	version1 := t.TempDir()
	if err := hasControllers(version1); err != nil {
		t.Errorf("version 1 has no list: %v", err)
	}
	cases := []struct {
		name, content string
		ok            bool
	}{
		{"all", "cpuset cpu io memory hugetlb pids\n", true},
		{"no memory", "cpuset cpu pids\n", false},
		{"cpuset is not cpu", "cpuset memory pids\n", false},
		{"none, as beside version 1", "\n", false},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			folder := t.TempDir()
			if err := os.WriteFile(filepath.Join(folder, "cgroup.controllers"), []byte(tc.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := hasControllers(folder); (err == nil) != tc.ok {
				t.Errorf("error: %v", err)
			}
		})
	}
}
