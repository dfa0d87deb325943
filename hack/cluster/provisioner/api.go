package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

const (
	callTimeout = 10 * time.Second
	// maxAnswer bounds a list: thousands of claims fit.
	maxAnswer = 64 << 20
)

// credentials says where the API server is and who calls.
type credentials struct {
	server, authority, certificate, key string
}

// api speaks to the API server.
type api struct {
	server string
	http   *http.Client
}

func connect(c credentials) (*api, error) {
	own, err := tls.LoadX509KeyPair(c.certificate, c.key)
	if err != nil {
		return nil, err
	}
	authority, err := os.ReadFile(c.authority)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("no certificate in %s", c.authority)
	}
	return &api{server: c.server, http: &http.Client{
		Timeout: callTimeout,
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12},
		},
	}}, nil
}

func (a *api) claims(ctx context.Context) ([]claim, error) {
	var list struct {
		Items []claim `json:"items"`
	}
	err := a.call(ctx, http.MethodGet, "/api/v1/persistentvolumeclaims", nil, &list)
	return list.Items, err
}

func (a *api) volumes(ctx context.Context) ([]volume, error) {
	var list struct {
		Items []volume `json:"items"`
	}
	err := a.call(ctx, http.MethodGet, "/api/v1/persistentvolumes", nil, &list)
	return list.Items, err
}

// createVolume is content with a volume that is there already.
func (a *api) createVolume(ctx context.Context, v object) error {
	return except(a.call(ctx, http.MethodPost, "/api/v1/persistentvolumes", v, nil), http.StatusConflict)
}

// deleteVolume is content with a volume that is gone already.
func (a *api) deleteVolume(ctx context.Context, name string) error {
	return except(a.call(ctx, http.MethodDelete, "/api/v1/persistentvolumes/"+name, nil, nil), http.StatusNotFound)
}

// refused is an answer that is not a success.
type refused struct {
	method, path string
	status       int
	message      string
}

func (r *refused) Error() string {
	return fmt.Sprintf("%s %s: %d: %s", r.method, r.path, r.status, r.message)
}

// except lets one status pass for success.
func except(err error, status int) error {
	var r *refused
	if errors.As(err, &r) && r.status == status {
		return nil
	}
	return err
}

// call sends body, when there is one, and reads the answer into result, when there is one.
func (a *api) call(ctx context.Context, method, path string, body, result any) error {
	var sent bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&sent).Encode(body); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, a.server+path, &sent)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := a.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return err
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return refusal(method, path, response.StatusCode, content)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(content, result)
}

// refusal reads the message of a Kubernetes Status.
func refusal(method, path string, status int, content []byte) error {
	var answer struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(content, &answer) != nil {
		answer.Message = http.StatusText(status)
	}
	return &refused{method: method, path: path, status: status, message: answer.Message}
}
