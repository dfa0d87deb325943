package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// newPair is a certificate for 127.0.0.1 with a serial number, and its key, in PEM.
func newPair(t *testing.T, serial int64) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "sidecar"},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	must(t, err)
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	must(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})
}

// secret is a folder like that of a mounted Secret.
type secret struct {
	t          *testing.T
	folder     string
	generation int
	// at is when all files say that they were written; zero lets each generation have a
	// time of its own.
	at time.Time
}

// written is when the present files were: certificates are not renewed twice in a moment.
func (s *secret) written() time.Time {
	if s.at.IsZero() {
		return time.Now().Add(time.Duration(s.generation-1000) * time.Second)
	}
	return s.at
}

// mount puts files into it as the kubelet does: in a new folder, to which a link is
// swapped.
func (s *secret) mount(certificate, key []byte) {
	s.t.Helper()
	s.generation++
	name := fmt.Sprintf("..generation_%d", s.generation)
	must(s.t, os.Mkdir(filepath.Join(s.folder, name), 0o755))
	for file, data := range map[string][]byte{certificateFile: certificate, privateKeyFile: key} {
		if data != nil {
			path := filepath.Join(s.folder, name, file)
			must(s.t, os.WriteFile(path, data, 0o600))
			must(s.t, os.Chtimes(path, s.written(), s.written()))
		}
		if s.generation == 1 {
			must(s.t, os.Symlink("..data/"+file, filepath.Join(s.folder, file)))
		}
	}
	must(s.t, os.Symlink(name, filepath.Join(s.folder, "..data_tmp")))
	must(s.t, os.Rename(filepath.Join(s.folder, "..data_tmp"), filepath.Join(s.folder, "..data")))
}

func newSecret(t *testing.T, serial int64) *secret {
	t.Helper()
	s := &secret{t: t, folder: t.TempDir()}
	s.mount(newPair(t, serial))
	return s
}

func TestTheNewestUsableCertificateIsServed(t *testing.T) {
	s := newSecret(t, 1)
	var said output
	c, err := newCertificate(s.folder, slog.New(slog.NewTextHandler(&said, nil)))
	must(t, err)
	now := time.Now()
	c.now = func() time.Time { return now }
	serves := func(when string, want int64) {
		t.Helper()
		now = now.Add(lookEvery)
		pair, err := c.get(nil)
		must(t, err)
		if got := pair.Leaf.SerialNumber.Int64(); got != want {
			t.Errorf("%s: certificate %d is served, want %d", when, got, want)
		}
	}
	serves("at first", 1)
	s.mount(newPair(t, 2))
	serves("after the link was swapped", 2)
	serves("with nothing new", 2)
	certificate, key := newPair(t, 3)
	_, foreign := newPair(t, 4)
	for name, broken := range map[string][2][]byte{
		"a key of another certificate": {certificate, foreign},
		"no PEM":                       {[]byte("x"), key},
		"half a certificate":           {certificate[:len(certificate)/2], key},
		"no key":                       {certificate, nil},
		"no certificate":               {nil, key},
		"empty files":                  {{}, {}},
	} {
		before := strings.Count(said.String(), "cannot be used")
		s.mount(broken[0], broken[1])
		serves(name, 2)
		if strings.Count(said.String(), "cannot be used") == before {
			t.Errorf("%s: nobody was told", name)
		}
	}
	s.mount(certificate, key)
	serves("after it was mended", 3)
}

// trusting is a client that trusts whatever the server presents, of HTTP/2 or HTTP/1.1.
func trusting(t *testing.T, http2 bool) *http.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: http2}
	if !http2 {
		transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func TestClientsOfBothVersionsOfHTTPStreamOverTLS(t *testing.T) {
	ring := newRing(t)
	went := make(chan struct{}, 2)
	upstream := mcpServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: first\n\n")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-went:
		case <-time.After(patience):
		}
		_, _ = io.WriteString(w, "data: second\n\n")
	})
	s := newSecret(t, 1)
	p := start(t, encodedPolicy(t, upstream, "", encode(t, ring.JWKS()), "get_*"), "--tls-dir", s.folder)
	address := strings.TrimPrefix(p.url, "http://")
	for version, client := range map[int]*http.Client{1: trusting(t, false), 2: trusting(t, true)} {
		r, err := http.NewRequest(http.MethodGet, "https://"+address+"/mcp", nil)
		must(t, err)
		r.Header.Set("Authorization", "Bearer "+signed(t, ring))
		res, err := client.Do(r)
		must(t, err)
		if res.ProtoMajor != version || res.StatusCode != http.StatusOK || res.TLS.PeerCertificates[0].SerialNumber.Int64() != 1 {
			t.Errorf("%s %s", res.Proto, res.Status)
		}
		lines := bufio.NewReader(res.Body)
		if line, err := lines.ReadString('\n'); err != nil || line != "data: first\n" {
			t.Errorf("HTTP/%d: %q, %v", version, line, err)
		}
		went <- struct{}{} // only now may the second come
		rest, err := io.ReadAll(lines)
		if err != nil || string(rest) != "\ndata: second\n\n" {
			t.Errorf("HTTP/%d: the rest: %q, %v", version, rest, err)
		}
		_ = res.Body.Close()
		call, err := http.NewRequest(http.MethodPost, "https://"+address+"/mcp", strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_task"}}`))
		must(t, err)
		call.Header.Set("Authorization", "Bearer "+signed(t, ring))
		call.Header.Set("Content-Type", "application/json")
		went <- struct{}{}
		called, err := client.Do(call)
		must(t, err)
		body, err := io.ReadAll(called.Body)
		if err != nil || called.StatusCode != http.StatusOK || string(body) != "data: first\n\ndata: second\n\n" {
			t.Errorf("HTTP/%d: the call: %s, %q, %v", version, called.Status, body, err)
		}
		_ = called.Body.Close()
	}
	old := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	if conn, err := tls.Dial("tcp", address, old); err == nil {
		_ = conn.Close()
		t.Error("TLS 1.1 is spoken")
	}
	if res, err := http.Get(p.url + "/mcp"); err == nil {
		_ = res.Body.Close()
		if res.StatusCode != http.StatusBadRequest {
			t.Errorf("plain HTTP is answered with %s", res.Status)
		}
	}
	if status, _ := p.get("/readyz"); status != http.StatusOK { // probes come without TLS
		t.Errorf("/readyz: %d", status)
	}
}

// serial is the number of the certificate that the program presents.
func (p *program) serial() int64 {
	p.t.Helper()
	conn, err := tls.Dial("tcp", strings.TrimPrefix(p.url, "http://"), &tls.Config{InsecureSkipVerify: true})
	must(p.t, err)
	defer func() { _ = conn.Close() }()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

func TestANewCertificateIsServedWithoutARestart(t *testing.T) {
	s := newSecret(t, 1)
	p := start(t, encodedPolicy(t, mcpServer(t, nil), "", encode(t, newRing(t).JWKS()), "get_*"), "--tls-dir", s.folder)
	if got := p.serial(); got != 1 {
		t.Fatalf("certificate %d is served, want 1", got)
	}
	s.mount(newPair(t, 2))
	// A look at the folder is due every lookEvery.
	for deadline := time.Now().Add(lookEvery + patience); p.serial() != 2; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for the new certificate; the program said:\n%s", p.output)
		}
	}
}
