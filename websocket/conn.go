package websocket

import (
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	// The only file that knows the library; no exported name mentions it.
	gorilla "github.com/gorilla/websocket"
)

// conn is one WebSocket connection: whole text messages in and out. One
// goroutine may read; any may write.
type conn struct {
	ws      *gorilla.Conn
	limit   int64         // bytes of one message, after decompression
	silence time.Duration // how long the client may say nothing, pongs included
	timeout time.Duration // for one write

	// writing has one element; who takes it may write. It is no mutex because
	// a write can wait for the client, in a test's bubble for the clock.
	writing chan struct{}
	closed  bool
}

// writeBuffers are shared: an idle connection has none.
var writeBuffers sync.Pool

const headerProtocol = "Sec-Websocket-Protocol"

// choose returns the first subprotocol among those that the client offers
// which is spoken here; empty: none is. The library looks at one header line
// only, but a list may come in several (RFC 6455 §11.3.4).
func choose(r *http.Request, spoken []string) string {
	for _, line := range r.Header[headerProtocol] {
		for p := range strings.SplitSeq(line, ",") {
			if p = strings.TrimSpace(p); slices.Contains(spoken, p) {
				return p
			}
		}
	}
	return ""
}

// upgradable reports whether the request asks for a WebSocket at all.
func upgradable(r *http.Request) bool { return gorilla.IsWebSocketUpgrade(r) }

// upgrade makes a WebSocket of the request. After an error it was answered.
func upgrade(w http.ResponseWriter, r *http.Request, protocol string, o *Options) (*conn, error) {
	u := gorilla.Upgrader{
		HandshakeTimeout:  o.Push.WriteTimeout,
		ReadBufferSize:    readBuffer,
		WriteBufferPool:   &writeBuffers,
		CheckOrigin:       func(*http.Request) bool { return true }, // checked before
		EnableCompression: o.Compression,
	}
	ws, err := u.Upgrade(w, r, http.Header{headerProtocol: {protocol}})
	if err != nil {
		return nil, err
	}
	c := &conn{
		ws:      ws,
		limit:   int64(o.Push.MaxBody),
		silence: 2*o.Push.Ping + o.Push.WriteTimeout,
		timeout: o.Push.WriteTimeout,
		writing: make(chan struct{}, 1),
	}
	c.writing <- struct{}{}
	return c, nil
}

// readBuffer is small: most messages are, and idle connections are many.
const readBuffer = 512

// What read tells apart.
var (
	errBinary  = errors.New("websocket: message is not text")
	errUTF8    = errors.New("websocket: message is not UTF-8")
	errTooBig  = errors.New("websocket: message too big")
	errSilence = errors.New("websocket: nothing heard")
)

// read returns the next text message. Within the time-out something must
// arrive; later, a pong will do. After errTooBig it can be called again: what
// is left of that message is skipped.
func (c *conn) read(timeout time.Duration) ([]byte, error) {
	c.hear(timeout)
	kind, data, err := c.message()
	switch {
	case isTimeout(err):
		return nil, errSilence
	case err != nil:
		return nil, err
	case kind != gorilla.TextMessage:
		return nil, errBinary
	case int64(len(data)) > c.limit:
		return nil, errTooBig
	case !utf8.Valid(data):
		return nil, errUTF8
	}
	return data, nil
}

// message reads a message, but no more of it than one byte above the limit.
// The library has a limit too, but it counts compressed bytes, and closes the
// connection before anybody could say why.
func (c *conn) message() (kind int, data []byte, err error) {
	kind, r, err := c.ws.NextReader()
	if err != nil {
		return kind, nil, err
	}
	data, err = io.ReadAll(io.LimitReader(r, c.limit+1))
	return kind, data, err
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func (c *conn) hear(timeout time.Duration) { _ = c.ws.SetReadDeadline(time.Now().Add(timeout)) }

// listen lets pongs count as signs of life.
func (c *conn) listen() {
	c.ws.SetPongHandler(func(string) error {
		c.hear(c.silence)
		return nil
	})
}

// write sends a text message.
func (c *conn) write(data []byte) error {
	<-c.writing
	defer func() { c.writing <- struct{}{} }()
	if c.closed {
		return gorilla.ErrCloseSent
	}
	_ = c.ws.SetWriteDeadline(time.Now().Add(c.timeout))
	return c.ws.WriteMessage(gorilla.TextMessage, data)
}

// ping asks the client's WebSocket for a pong.
func (c *conn) ping() error {
	return c.ws.WriteControl(gorilla.PingMessage, nil, time.Now().Add(c.timeout))
}

// close sends the code and closes the connection. Only the first call counts.
func (c *conn) close(code int, reason string) {
	<-c.writing
	defer func() { c.writing <- struct{}{} }()
	if c.closed {
		return
	}
	c.closed = true
	if len(reason) > 120 { // a control frame has 125 bytes at most
		reason = reason[:120]
	}
	_ = c.ws.WriteControl(gorilla.CloseMessage, gorilla.FormatCloseMessage(code, reason), time.Now().Add(c.timeout))
	_ = c.ws.Close()
}

// drop closes the connection without a word: the client is gone.
func (c *conn) drop() {
	<-c.writing
	defer func() { c.writing <- struct{}{} }()
	c.closed = true
	_ = c.ws.Close()
}
