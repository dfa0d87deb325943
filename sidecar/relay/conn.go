package relay

import (
	"bufio"
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

// readBuffer holds the head of an answer, and most events whole. Many streams are open
// at once, and each has one.
const readBuffer = 2 << 10

// maxHead is the longest head of an answer, in bytes.
const maxHead = 256 << 10

// conn is one connection, used by one request at a time.
type conn struct {
	net.Conn
	// socket is the connection below TLS, and the same as Conn without.
	socket net.Conn
	reader *bufio.Reader
	// budget is how much may still be read while a head is; negative where it does not
	// matter.
	budget int
	// since is when it began to wait.
	since time.Time

	// raw looks at the socket; nil where there is none.
	raw  syscall.RawConn
	peek func(fd uintptr) bool
	// quiet is what peek found: open, and nothing to read.
	quiet bool
	// abort has everybody who waits for the connection give up. It cannot be used again.
	abort func()
}

// newConn wraps a connection and the one below it, which are the same without TLS.
func newConn(c, below net.Conn) *conn {
	made := &conn{Conn: c, socket: below, budget: -1}
	made.reader = bufio.NewReaderSize(made, readBuffer)
	if socket, ok := below.(syscall.Conn); ok {
		made.raw, _ = socket.SyscallConn() // an error leaves it nil: not looked at
	}
	made.peek = func(fd uintptr) bool {
		made.quiet = isQuiet(fd)
		return true
	}
	made.abort = func() { _ = made.SetDeadline(past) }
	return made
}

// past is a deadline that is over.
var past = time.Unix(1, 0)

// errHeadTooLong says that a server's answer has no body within maxHead.
var errHeadTooLong = errors.New("its head is too long")

// Read keeps to the budget.
func (c *conn) Read(p []byte) (int, error) {
	if c.budget < 0 {
		return c.Conn.Read(p)
	}
	if c.budget == 0 {
		return 0, errHeadTooLong
	}
	n, err := c.Conn.Read(p[:min(len(p), c.budget)])
	c.budget -= n
	return n, err
}

// alive reports whether the server can be expected to take a request: it has neither
// closed nor said anything that nobody asked for. The latter would be taken for the
// answer.
func (c *conn) alive() bool {
	if c.reader.Buffered() > 0 {
		return false
	}
	if c.raw != nil {
		c.quiet = false
		if c.raw.Read(c.peek) != nil || !c.quiet {
			return false
		}
	}
	return !c.secured() || c.readNothingAhead()
}

func (c *conn) secured() bool { return c.Conn != c.socket }

// readNothingAhead reports whether TLS holds no records that came along with those that
// were read. A deadline in the past keeps it from waiting for more.
func (c *conn) readNothingAhead() bool {
	_ = c.SetReadDeadline(past)
	var b [1]byte
	n, err := c.Conn.Read(b[:])
	_ = c.SetReadDeadline(time.Time{})
	return n == 0 && errors.Is(err, os.ErrDeadlineExceeded)
}

// close gives it up. Whatever could fail has been sent or does not matter any more; nor
// does TLS say goodbye, which would wait for a server that does not read.
func (c *conn) close() { _ = c.socket.Close() }
