// Package authservertest runs an authorization server in one call, as httptest
// runs an HTTP server: on a loopback port, with a sample catalog, a store in
// memory, a clock that tests move, and a record of everything it wrote.
//
//	server := authservertest.New(t)
//	app := server.Register(t, nil)
//	answer := server.SignIn(t, server.Begin(app, nil))
//	status, tokens := server.Redeem(t, app, answer)
//
// The sample is one resource, "apps-todo", with the scopes todo:read (default)
// and todo:write; the users alice, in the group staff, and bob, in none; and the
// confidential client "agent".
package authservertest
