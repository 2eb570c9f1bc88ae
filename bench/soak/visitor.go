//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// A visitor has one session.
type visitor struct {
	server   *server
	rng      *rand.Rand
	leave    farewell
	conns    *connections
	http     *http.Client
	unread   io.Closer // a stream that is open when the visit ends
	messages int       // that it got
}

// kinds are the carriers and backends there are. Each plays a session until the
// context is done, and says goodbye if it is to.
var kinds = map[string]func(*visitor, context.Context) error{
	"BOSH, bus":       (*visitor).boshBus,
	"BOSH, XMPP":      (*visitor).boshXMPP,
	"long-poll, bus":  (*visitor).poll,
	"SSE, bus":        (*visitor).stream,
	"WebSocket, bus":  (*visitor).socket,
	"WebSocket, XMPP": (*visitor).socketXMPP,
}

// visit plays a session of a random length, at most life.
func (v *visitor) visit(kind string, life time.Duration) error {
	v.conns = &connections{}
	transport := &http.Transport{DialContext: v.conns.dial, DisableCompression: true}
	v.http = &http.Client{Transport: transport}
	defer func() {
		v.conns.close() // first: it is to be seen as broken
		if v.unread != nil {
			_ = v.unread.Close()
		}
		transport.CloseIdleConnections()
	}()
	ctx, cancel := context.WithTimeout(context.Background(), life/10+time.Duration(v.rng.Int64N(int64(life))))
	defer cancel()
	err := kinds[kind](v, ctx)
	if v.leave == deaf {
		time.Sleep(inactivity) // what others publish stays unread
	}
	return err
}

// topic is one of a few, so that there are others in it.
func (v *visitor) topic() string { return fmt.Sprintf("topic %d", v.rng.IntN(20)) }

func (v *visitor) subscribe() string {
	return fmt.Sprintf(`{"op":"subscribe","topic":%q,"history":5,"presence":{"a":1}}`, v.topic())
}

func (v *visitor) publish() string {
	return fmt.Sprintf(`{"op":"publish","topic":%q,"data":%q}`, v.topic(), strings.Repeat("x", v.rng.IntN(300)))
}

// post posts a body and returns that of the answer.
func (v *visitor) post(path, body string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+v.server.addr+path, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	resp, err := v.http.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s: %s", resp.Status, data)
	}
	return string(data), err
}

// pause waits a little, or until the session is to end.
func (v *visitor) pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(time.Duration(v.rng.Int64N(int64(wait)))):
	}
}

// unexpected is an answer that no server may give.
func unexpected(answer string) error { return fmt.Errorf("unexpected answer: %.200q", answer) }

// connections are those of a visitor.
type connections struct {
	mu  sync.Mutex
	all []net.Conn
}

func (c *connections) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.all = append(c.all, conn)
	}
	return conn, err
}

// close breaks them.
func (c *connections) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.all {
		_ = conn.Close()
	}
}
