package websocket

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"log/slog"
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
	corked  *corked       // what ws writes to
	idle    idler         // how it waits for input
	limit   int64         // bytes of one message, after decompression
	silence time.Duration // how long the client may say nothing, pongs included
	timeout time.Duration // for one write
	deflate *deflater     // nil: messages are not compressed

	listening bool // pongs count; only who reads uses it

	// writing has one element; who takes it may write. It is no mutex because
	// a write can wait for the client, in a test's bubble for the clock.
	writing chan struct{}
	closed  bool
}

// writeBuffers are the library's, and shared: an idle connection has none.
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

// upgradable reports whether the request asks for a WebSocket at all. RFC 6455
// §4.2.1: of HTTP/1.1 or higher, which the library does not look at.
func upgradable(r *http.Request) bool { return r.ProtoAtLeast(1, 1) && gorilla.IsWebSocketUpgrade(r) }

// deflatable reports whether the client offers permessage-deflate such that
// the library's answer to it is a legal one. RFC 7692 §7: an offer is declined
// if it has an unknown parameter, or limits our window, which the library
// cannot do.
func deflatable(r *http.Request) bool {
	for _, line := range r.Header["Sec-Websocket-Extensions"] {
		for offer := range strings.SplitSeq(line, ",") {
			parameters := strings.Split(offer, ";")
			if strings.TrimSpace(parameters[0]) != "permessage-deflate" {
				continue
			}
			known := true
			for _, p := range parameters[1:] {
				name, _, _ := strings.Cut(p, "=")
				switch strings.TrimSpace(name) {
				case "server_no_context_takeover", "client_no_context_takeover", "client_max_window_bits":
				default:
					known = false
				}
			}
			if known {
				return true
			}
		}
	}
	return false
}

// upgrade makes a WebSocket of the request. After an error it was answered.
func (h *Handler) upgrade(w http.ResponseWriter, r *http.Request, protocol string) (*conn, error) {
	o := &h.opts
	u := gorilla.Upgrader{
		HandshakeTimeout:  o.Push.WriteTimeout,
		WriteBufferPool:   &writeBuffers,
		CheckOrigin:       func(*http.Request) bool { return true }, // checked before
		EnableCompression: h.deflate != nil && deflatable(r),
	}
	hijack := &hijacker{ResponseWriter: w}
	ws, err := u.Upgrade(hijack, r, http.Header{headerProtocol: {protocol}})
	if err != nil {
		return nil, err
	}
	c := &conn{
		ws:      ws,
		corked:  hijack.conn,
		idle:    idler{conn: hijack.idle, in: hijack.in},
		limit:   int64(o.Push.MaxBody),
		silence: 2*o.Push.Ping + o.Push.WriteTimeout,
		timeout: o.Push.WriteTimeout,
		writing: make(chan struct{}, 1),
	}
	if u.EnableCompression { // it was offered, so it was agreed on
		c.deflate = h.deflate
	}
	c.writing <- struct{}{}
	return c, nil
}

// What read tells apart.
var (
	errBinary  = errors.New("websocket: message is not text")
	errUTF8    = errors.New("websocket: message is not UTF-8")
	errTooBig  = errors.New("websocket: message too big")
	errSilence = errors.New("websocket: nothing heard")
)

// failure returns the close code for what read returned, and the reason;
// zero: the client closed the connection, or is gone.
func failure(err error) (code int, reason string) {
	var closed *gorilla.CloseError
	var corrupt flate.CorruptInputError
	switch {
	case errors.Is(err, errBinary):
		return closeUnsupported, "messages are text"
	case errors.Is(err, errUTF8):
		return closeInvalid, "not UTF-8"
	case errors.Is(err, errTooBig):
		return closeTooBig, "message too big"
	case errors.Is(err, errSilence):
		return closeGoingAway, "nothing heard"
	case errors.As(err, &closed):
		return 0, ""
	case errors.As(err, &corrupt), errors.Is(err, io.ErrUnexpectedEOF):
		return closeInvalid, "not deflated"
	case strings.HasPrefix(err.Error(), "websocket: "):
		return closeProtocol, "not WebSocket" // the library has said so already, mostly
	}
	return 0, ""
}

// read returns the next text message. Within the time-out something must
// arrive; later, a pong will do. After errTooBig it can be called again: what
// is left of that message is skipped.
func (c *conn) read(timeout time.Duration) ([]byte, error) {
	kind, data, err := gorilla.TextMessage, c.short(), error(nil)
	if data == nil {
		c.hear(timeout)
		kind, data, err = c.message()
		c.idle.within = int64(len(data)) > c.limit
	}
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
	buf := readBuffers.Get().(*bytes.Buffer)
	_, err = buf.ReadFrom(io.LimitReader(r, c.limit+1))
	data = bytes.Clone(buf.Bytes()) // which takes no more than it has to: it is kept
	if buf.Cap() <= maxPooled {
		buf.Reset()
		readBuffers.Put(buf)
	}
	return kind, data, err
}

// readBuffers are where messages come together.
var readBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func (c *conn) hear(timeout time.Duration) {
	now := time.Now()
	c.idle.heard.Store(now.UnixNano())
	_ = c.ws.SetReadDeadline(now.Add(timeout))
}

// listen lets pongs count as signs of life.
func (c *conn) listen() {
	if c.listening {
		return
	}
	c.listening = true
	c.ws.SetPongHandler(func(string) error {
		c.hear(c.silence)
		return nil
	})
}

// pong answers a ping.
func (c *conn) pong(payload []byte) {
	_ = c.ws.WriteControl(gorilla.PongMessage, payload, time.Now().Add(c.timeout))
}

// write sends a text message.
func (c *conn) write(data []byte) error {
	return c.send(func(dst []byte) []byte { return append(dst, data...) })
}

// send sends the text message that is appended.
func (c *conn) send(message func(dst []byte) []byte) error {
	f := takeFrame(message)
	defer f.free()
	data := f.bytes()
	if c.deflate != nil {
		if short := c.deflate.frame(f.payload()); short != nil {
			data = short
		}
	}
	<-c.writing
	defer func() { c.writing <- struct{}{} }()
	if c.closed {
		return gorilla.ErrCloseSent
	}
	_ = c.corked.SetWriteDeadline(time.Now().Add(c.timeout))
	return c.corked.send(data)
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
	_ = c.corked.uncork()
	_ = c.ws.Close()
}

// fail closes the connection for what read returned. RFC 6455 §7.1.7: with a
// fitting code, and a line in the log.
func (c *conn) fail(err error, log *slog.Logger) {
	code, reason := failure(err)
	if code == 0 {
		c.drop()
		return
	}
	log.Info("websocket failed", "code", code, "reason", reason)
	c.close(code, reason)
}

// drop closes the connection without a word: the client is gone.
func (c *conn) drop() {
	<-c.writing
	defer func() { c.writing <- struct{}{} }()
	c.closed = true
	_ = c.ws.Close()
}
