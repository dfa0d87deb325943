package sidecar

import (
	"net/http"
	"strings"
	"testing"
)

// The query may not repeat the token; a path ends up in the same logs.
func TestAttack34_ATokenInThePathDoesNotReachTheServer(t *testing.T) {
	b := protect(t)
	bearer := token(t, "todo:read")
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		b.do(t, method, testPath+"/"+bearer, bearer)
	}
	b.post(t, bearer, call("get_task"), at(testPath+"/x/"+bearer+"/y"))
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.seen {
		if strings.Contains(r.RequestURI, bearer) {
			t.Errorf("the token came through: %s %.40s…", r.Method, r.RequestURI)
		}
	}
}
