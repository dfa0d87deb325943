//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mcpauth/mcpauth/oauth/keyring"
	"github.com/mcpauth/mcpauth/oauth/revocation"
)

// Where the authorization server has its documents.
const (
	keysPath = "/keys"
	feedPath = "/revocations"
)

// authorizationServer is the part of one that sidecars talk to: its keys, and a feed
// of revocations in which nothing is.
type authorizationServer struct {
	server *http.Server
	url    string
	keys   []byte
	// followers is how many have begun to follow the feed: whoever has no cursor yet.
	followers atomic.Int64
}

func startAuthorizationServer(rings ...*keyring.Ring) (*authorizationServer, error) {
	var set jose.JSONWebKeySet
	for _, ring := range rings {
		set.Keys = append(set.Keys, ring.JWKS().Keys...)
	}
	keys, err := json.Marshal(set)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	a := &authorizationServer{url: "http://" + listener.Addr().String(), keys: keys}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+keysPath, a.serveKeys)
	mux.HandleFunc("GET "+feedPath, a.serveFeed)
	a.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = a.server.Serve(listener) }() // it ends with stop
	return a, nil
}

func (a *authorizationServer) stop() error {
	if err := a.server.Close(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (a *authorizationServer) serveKeys(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(a.keys) // the sidecar may have gone
}

// serveFeed holds a request for as long as it may wait.
func (a *authorizationServer) serveFeed(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if !query.Has(revocation.ParameterAfter) {
		a.followers.Add(1)
	}
	seconds, _ := strconv.Atoi(query.Get(revocation.ParameterWait)) // none is zero
	select {
	case <-time.After(min(time.Duration(seconds)*time.Second, revocation.MaxWait)):
	case <-r.Context().Done():
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(revocation.Feed{Next: "0"}) // the sidecar may have gone
}
