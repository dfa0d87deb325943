//go:build linux

package profile

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

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
	own := " 5.10%;[k] copy_user_generic\n 4.00%;[.] github.com/mcpauth/mcpauth/sidecar.(*exchange).audit\nno profile\n"
	want = []string{"   5.10%  copy_user_generic (kernel)", "   4.00%  sidecar.(*exchange).audit"}
	if diff := cmp.Diff(want, profileLines([]byte(own), 9, ownLine)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
