// Package pages tests the pages of the authorization server in a browser:
// headless Chromium, with axe-core looking for what keeps people out. There is no
// authorization server behind them; the renderer writes each page in each state it
// can be in, and the tests play the server that gets the forms.
//
// To look at the pages oneself:
//
//	go test ./test/pages -run Screenshots -screenshots /tmp/pages
package pages
