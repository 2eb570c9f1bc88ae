//go:build linux

package httpd

import (
	"context"
	"net/http"
	"time"
)

// A requestContext is done when its client is gone, or has its answer. Nobody
// watches the client before somebody asks. Who does so is about to wait, so that
// is also when somebody else begins to do what else there is to do.
type requestContext struct {
	conn *conn // whose lock guards the rest
	done chan struct{}
	err  error
}

func (*requestContext) Deadline() (time.Time, bool) { return time.Time{}, false }

func (x *requestContext) Done() <-chan struct{} {
	c := x.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	c.server.poller.crew.waits(c)
	if x.done == nil {
		x.done = make(chan struct{})
		if x.err != nil {
			close(x.done)
		}
	}
	x.look()
	return x.done
}

func (x *requestContext) Err() error {
	x.conn.mu.Lock()
	defer x.conn.mu.Unlock()
	x.look()
	return x.err
}

// look finds out whether the client is gone, with the lock held.
func (x *requestContext) look() {
	c := x.conn
	if w := c.w; x.err == nil && w != nil && w.ctx == x && w.bodyDone && (c.again || c.hup) {
		c.look()
	}
}

// end says that it is done, with the lock held.
func (x *requestContext) end() {
	if x.err != nil {
		return
	}
	x.err = context.Canceled
	if x.done != nil {
		close(x.done)
	}
}

func (x *requestContext) Value(key any) any {
	switch key {
	case http.LocalAddrContextKey:
		return x.conn.localAddr()
	case http.ServerContextKey:
		if s := x.conn.server.Other; s != nil {
			return s
		}
	}
	return nil
}
