//go:build unix

package relay

import "syscall"

// isQuiet reports whether a socket, which does not block, has nothing to read and is
// not closed. What it reads is lost, but then the connection is as well.
func isQuiet(fd uintptr) bool {
	var b [1]byte
	_, err := syscall.Read(int(fd), b[:])
	return err == syscall.EAGAIN || err == syscall.EWOULDBLOCK
}
