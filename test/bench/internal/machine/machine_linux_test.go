package machine

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTheMachineSaysWhatItIs(t *testing.T) {
	if cpu := CPU(); !strings.Contains(cpu, "core") {
		t.Errorf("CPU is %q", cpu)
	}
	if own, files, err := Resident(os.Getpid()); err != nil || own < 500 || files < 500 {
		t.Errorf("we hold %d KiB and %d KiB of files, %v", own, files, err)
	}
}

func TestMappingsAddUpToWhatIsHeld(t *testing.T) {
	all, err := Mappings(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	sum, program := 0, 0
	for _, m := range all {
		sum += m.Resident
		if strings.HasPrefix(m.Name, "machine.test, ") {
			program += m.Resident
		}
	}
	own, files, err := Resident(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	// What is held changes between two looks, but not by half.
	if sum < (own+files)/2 || sum > 2*(own+files) || program < 500 {
		t.Errorf("the mappings are %d KiB, %d of the program's, and %d are held: %v", sum, program, own+files, all)
	}
}

func TestWorkIsCounted(t *testing.T) {
	before, err := Process(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	all, err := Cores()
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(30 * time.Second)
	for n := 0; ; n++ {
		after, err := Process(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		now, err := Cores()
		if err != nil {
			t.Fatal(err)
		}
		if after >= before+3*tick && now.Work >= all.Work+3*tick {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %d looks we have worked %s, and everybody %s", n, after-before, now.Work-all.Work)
		}
	}
}

func TestTheWorkOfAProcessThatIsNotThereIsAnError(t *testing.T) {
	if did, err := Process(1 << 26); err == nil {
		t.Errorf("it has worked %s", did)
	}
}

func TestChildrenAreFoundByName(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Skip(err)
	}
	defer func() { _, _ = cmd.Process.Kill(), cmd.Wait() }()
	found, err := Children(os.Getpid(), "sleep", "other")
	if err != nil || !slices.Contains(found, cmd.Process.Pid) {
		t.Errorf("got %v, %v; want %d among them", found, err, cmd.Process.Pid)
	}
	if found, err := Children(os.Getpid(), "slee"); err != nil || len(found) > 0 {
		t.Errorf("got %v, %v by half a name", found, err)
	}
}

func TestADiskIsTimedAndMemoryIsNone(t *testing.T) {
	took, err := Disk(t.TempDir())
	if errors.Is(err, ErrInMemory) {
		t.Skip(err)
	}
	if err != nil || took <= 0 {
		t.Errorf("took %s, %v", took, err)
	}
	if _, err := os.Stat("/dev/shm"); err != nil {
		t.Skip(err)
	}
	if _, err := Disk("/dev/shm"); !errors.Is(err, ErrInMemory) {
		t.Errorf("/dev/shm: %v", err)
	}
}
