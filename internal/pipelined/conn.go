package pipelined

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"sync"
)

// A conn is a connection whose reads end where requests end, so that net/http
// cannot take the next request into its buffer together with the one before.
// It meets it instead where it waits, while a handler runs, for the client to
// go away; and conn sees that.
type conn struct {
	net.Conn
	scan  scanner
	ahead []byte // what was read beyond the end of a request

	mu     sync.Mutex
	behind bool   // net/http has a byte of the next request
	tell   func() // is to be called then
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (n int, err error) {
	if len(c.ahead) > 0 {
		n = c.scan.scan(p[:copy(p, c.ahead)])
		c.ahead = c.ahead[n:]
	} else if n, err = c.Conn.Read(p); n > 0 {
		end := c.scan.scan(p[:n])
		c.ahead = append(c.ahead[:0], p[end:n]...)
		if end < n {
			n, err = end, nil // the error will be there again
		}
	}
	if len(c.ahead) == 0 {
		c.ahead = nil
	}
	if n > 0 {
		c.note(len(p))
	}
	return n, err
}

// note says that net/http got something when it asked for up to max bytes.
func (c *conn) note(max int) {
	behind := c.scan.state != between
	if c.scan.state == lost {
		behind = max == 1 // as net/http asks while a handler runs
	}
	c.mu.Lock()
	c.behind = behind
	tell := c.tell
	if behind {
		c.tell = nil
	}
	c.mu.Unlock()
	if behind && tell != nil {
		tell()
	}
}

// watch has f called as soon as there is something behind the request; nil:
// nothing is.
func (c *conn) watch(f func()) {
	c.mu.Lock()
	behind := c.behind
	c.tell = f
	if behind {
		c.tell = nil
	}
	c.mu.Unlock()
	if behind && f != nil {
		f()
	}
}

// ReadFrom implements io.ReaderFrom, for sendfile.
func (c *conn) ReadFrom(r io.Reader) (int64, error) { return io.Copy(c.Conn, r) }

// CloseWrite sends the end while what the client still sends can be read, where
// the connection can do that. net/http asks for it.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// NetConn returns the connection below.
func (c *conn) NetConn() net.Conn { return c.Conn }

// A secureConn is one that net/http takes for what it is: it asks for the state
// to fill in Request.TLS.
type secureConn struct{ *conn }

func (c secureConn) ConnectionState() tls.ConnectionState {
	return c.Conn.(*tls.Conn).ConnectionState()
}

// ---- the handlers' side

type contextKey struct{}

// ConnContext is for http.Server.ConnContext: it lets handlers find the
// connection.
func ConnContext(ctx context.Context, nc net.Conn) context.Context {
	switch c := nc.(type) {
	case *conn:
		return context.WithValue(ctx, contextKey{}, c)
	case secureConn:
		return context.WithValue(ctx, contextKey{}, c.conn)
	}
	return ctx
}

// Watch has f called once when there is input behind a request whose body was
// read: at once, or from another goroutine. f must not block. The handler calls
// stop before it returns; f may be under way then. On connections that are not
// watched, and where requests do not stand in each other's way, f is not called.
func Watch(r *http.Request, f func()) (stop func()) {
	c, ok := r.Context().Value(contextKey{}).(*conn)
	if !ok || r.ProtoMajor != 1 {
		return func() {}
	}
	c.watch(f)
	return c.unwatch
}

func (c *conn) unwatch() { c.watch(nil) }
