//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mcpauth/mcpauth/oauth/keyring"
	"github.com/mcpauth/mcpauth/test/bench/internal/report"
)

// converse runs a role with the requests and returns its answers.
func converse(t *testing.T, role func(io.Reader, io.Writer) error, requests ...string) []string {
	t.Helper()
	var out bytes.Buffer
	if err := role(strings.NewReader(strings.Join(requests, "\n")+"\n"), &out); err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(out.String()), "\n")
}

func TestTheGuardEndsWhatItWatchesEvenWhereItIsFrozen(t *testing.T) {
	start := func() *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), "sleep", "60")
		if err := cmd.Start(); err != nil {
			t.Skip(err)
		}
		return cmd
	}
	watched, forgotten := start(), start()
	defer func() { _, _ = forgotten.Process.Kill(), forgotten.Wait() }()
	if err := watched.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	answers := converse(t, guard,
		fmt.Sprintf("watch %d", watched.Process.Pid), fmt.Sprintf("watch %d", forgotten.Process.Pid), fmt.Sprintf("forget %d", forgotten.Process.Pid))
	if strings.Join(answers, " ") != "ok ok ok" {
		t.Errorf("the answers are %q", answers)
	}
	_ = watched.Wait()
	if status := watched.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGKILL {
		t.Errorf("the watched process ended by %v", status.Signal())
	}
	if err := forgotten.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the forgotten process: %v", err)
	}
}

func TestTheSignerSaysWhatSignsAndHowMuch(t *testing.T) {
	ring, err := keyring.New(keyring.EdDSA, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := ring.Encode()
	if err != nil {
		t.Fatal(err)
	}
	answers := converse(t, signer, withOpenSSL+" "+base64.StdEncoding.EncodeToString(encoded), "20ms")
	var made, nanoseconds int64
	if len(answers) != 2 || answers[0] != ring.Active().Backend() {
		t.Fatalf("the answers are %q", answers)
	}
	if _, err := fmt.Sscan(answers[1], &made, &nanoseconds); err != nil || made < 1 || nanoseconds < int64(20*time.Millisecond) {
		t.Errorf("the answer is %q, %v", answers[1], err)
	}
}

func TestTheBareHandlerWritesWhatItWasGiven(t *testing.T) {
	in, requests := io.Pipe()
	answers, out := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- handler(in, out) }()
	go func() {
		_, _ = io.WriteString(requests, `[{"Path":"/keys","Header":{"Content-Type":["application/json"]},"Body":"e30="}]`+"\n")
	}()
	address, err := bufio.NewReader(answers).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	got, err := fetch(t.Context(), "http://"+strings.TrimSpace(address), "/keys")
	if err != nil || string(got.Body) != "{}" || got.Header.Get("Content-Type") != "application/json" || len(got.Header) != 1 {
		t.Errorf("got %s with %v, %v", got.Body, got.Header, err)
	}
	http.DefaultClient.CloseIdleConnections()
	if err := requests.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("the handler ended with %v", err)
	}
}

func TestAnAppRedeemsItsCodesAndThenUsesItsTokensInTurn(t *testing.T) {
	a := apps("bench", 1)[0]
	deal([]*app{a}, []string{"code1", "code2"})
	answer := func(token string) {
		t.Helper()
		if err := a.Answered(http.StatusOK, []byte(`{"access_token":"x","refresh_token":"`+token+`"}`)); err != nil {
			t.Fatal(err)
		}
	}
	said := func(want string) {
		t.Helper()
		if next := a.Next(); !bytes.HasSuffix(next, []byte(want)) {
			t.Errorf("the request is %q, want it to end with %q", next, want)
		}
	}
	said("&code=code2")
	answer("two")
	said("&code=code1")
	answer("one")
	if next := a.Next(); next != nil {
		t.Errorf("without a code it says %q", next)
	}
	a.refreshing = true
	for _, token := range []string{"two", "one", "two-again"} {
		said("&refresh_token=" + token)
		answer(token + "-again")
	}
	for _, body := range []string{"", "{}", `{"refresh_token":"open`} {
		if err := a.Answered(http.StatusOK, []byte(body)); err == nil {
			t.Errorf("%q was accepted", body)
		}
	}
	if err := a.Answered(http.StatusBadRequest, nil); err == nil {
		t.Error("a refusal was accepted")
	}
}

func TestAProfileIsReadAsPeopleNameThings(t *testing.T) {
	processes := " 34.69% ;authserver     ;libcrypto.so.3   \n 15.33% ;authserver     ;authserver       \n\n" +
		" 10.22% ;postgres       ;[kernel.kallsyms]\n 7.15%  ;swapper        ;[kernel.kallsyms]\n 1.00% ;one;too many\n"
	want := []string{"  34.69%  authserver in libcrypto.so.3", "  15.33%  authserver itself", "  10.22%  postgres in the kernel", "   7.15%  idle"}
	if diff := cmp.Diff(want, profileLines([]byte(processes), 4, processLine)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	functions := " 23.04% ; 0.00%  ;[.] runtime.goexit.abi0 ;-      -\n 20.61% ; 0.04%  ;[.] net/http.(*conn).serve\n" +
		" 16.08% ; 0.00%  ;[.] github.com/mcpauth/mcpauth/authserver.(*Server).token-fm\n 9.61%  ; 0.00%  ;[k] do_syscall_64\n" +
		" 9.57%  ; 0.00%  ;[.] github.com/mcpauth/mcpauth/authserver/store.(*postgres).once\n 2.0%;2.0%;[.] 0x0000000000129936\nno profile\n"
	want = []string{"  20.61%  net/http.(*conn).serve", "   9.57%  authserver/store.(*postgres).once"}
	if diff := cmp.Diff(want, profileLines([]byte(functions), 9, functionLine)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPartsAreChosenByName(t *testing.T) {
	all, err := choose(nil)
	if err != nil || len(all) != len(parts()) {
		t.Errorf("got %d parts, %v", len(all), err)
	}
	some, err := choose([]string{"start", "generator"})
	if err != nil || len(some) != 2 || some[0].name != "generator" || some[1].name != "start" {
		t.Errorf("got %v, %v", some, err)
	}
	if _, err := choose([]string{"start", "nothing"}); err == nil || !strings.Contains(err.Error(), "growth") {
		t.Errorf("error is %v", err)
	}
}

func TestARatioHoldsARoundAgainstTheSignersAround(t *testing.T) {
	r := &race{signed: [][]float64{{100, 300, 100}}, taken: map[string]samples{"none": {}}}
	if got := report.Ratio(r.ratio("none")); got != "0.00" {
		t.Errorf("without rounds it is %s", got)
	}
	if got := r.signed0(); got != 300 {
		t.Errorf("the most is %v", got)
	}
}

func TestAChildThatCannotStartIsAnError(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := startChild(ctx, roleSigner); err == nil {
		t.Error("it was started under a context that has ended")
	}
}
