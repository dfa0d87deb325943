//go:build linux

package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

const (
	// callTimeout bounds one question to the cluster.
	callTimeout = 5 * time.Second
	// maxAnswer bounds what is read of an answer.
	maxAnswer = 1 << 20
)

// client speaks HTTP to the cluster from outside its network namespace.
type client struct {
	http *http.Client
}

// client returns a client that is the cluster's administrator.
func (c *Cluster) client() (*client, error) {
	tlsConfig, err := c.administrator()
	if err != nil {
		return nil, err
	}
	return &client{http: &http.Client{
		Timeout: callTimeout,
		Transport: &http.Transport{
			TLSClientConfig:   tlsConfig,
			DialContext:       c.dial,
			DisableKeepAlives: true,
		},
	}}, nil
}

// dial connects from inside the cluster's network namespace: a socket belongs to the namespace
// of the thread that made it. The address must be numeric, name resolution would be the machine's.
func (c *Cluster) dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	err = c.inNetwork(func() error {
		conn, err = new(net.Dialer).DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// get asks for a path of the API server, or for a whole URL of something else in the namespace.
// An answer other than 200 is an error.
func (c *client) get(ctx context.Context, url string) ([]byte, error) {
	if url[0] == '/' {
		url = apiServer + url
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s", url, response.Status)
	}
	return body, err
}

// nodeReady returns an error unless the node's condition Ready is true.
func (c *client) nodeReady(ctx context.Context, name string) error {
	body, err := c.get(ctx, "/api/v1/nodes/"+name)
	if err != nil {
		return err
	}
	var node struct {
		Status struct {
			Conditions []struct{ Type, Status, Message string }
		}
	}
	if err := json.Unmarshal(body, &node); err != nil {
		return fmt.Errorf("node %s: %w", name, err)
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == "Ready" && condition.Status != "True" {
			return fmt.Errorf("node %s is not ready: %s", name, condition.Message)
		}
		if condition.Type == "Ready" {
			return nil
		}
	}
	return fmt.Errorf("node %s does not say whether it is ready", name)
}

// administrator reads who we are and whom we trust from the cluster's folder.
func (c *Cluster) administrator() (*tls.Config, error) {
	own, err := tls.LoadX509KeyPair(c.path("pki", "admin.crt"), c.path("pki", "admin.key"))
	if err != nil {
		return nil, err
	}
	authority, err := os.ReadFile(c.path("pki", "ca.crt"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12}, nil
}
