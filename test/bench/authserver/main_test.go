//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mcpauth/mcpauth/oauth/keyring"
	"github.com/mcpauth/mcpauth/test/bench/internal/report"
	"github.com/mcpauth/mcpauth/test/bench/internal/sample"
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
	r := &race{signed: [][]float64{{100, 300, 100}}, taken: map[string]sample.Samples{"none": {}}}
	if got := report.Ratio(r.ratio("none")); got != "0.00" {
		t.Errorf("without rounds it is %s", got)
	}
	if got := r.signed0(); got != 300 {
		t.Errorf("the most is %v", got)
	}
}
