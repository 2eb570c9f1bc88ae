package websocket_test

import (
	"bufio"
	"bytes"
	"compress/flate"
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/mochibosh/mochibosh/internal/pushtest"
	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/transport/push"
	"github.com/mochibosh/mochibosh/websocket"
)

// handshake is a good one, and the example of RFC 6455 §1.3.
const handshake = "GET /ws HTTP/1.1\r\nHost: im.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: xmpp\r\n\r\n"

// rawClient speaks WebSocket by hand, bytes that no library would write.
type rawClient struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

// shake sends a handshake.
func (s *xmppServer) shake(request string) (*rawClient, *http.Response) {
	s.t.Helper()
	conn, err := s.network.Dial(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	c := &rawClient{s.t, conn, bufio.NewReader(conn)}
	go io.WriteString(conn, request) // nothing is read behind a bad line
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		s.t.Fatalf("%q: %v", request, err)
	}
	return c, resp
}

// raw begins a stream by hand.
func (s *xmppServer) raw() (*rawClient, *xmppBackend) {
	s.t.Helper()
	c, resp := s.shake(handshake)
	if resp.StatusCode != http.StatusSwitchingProtocols {
		s.t.Fatalf("refused: %v", resp)
	}
	writeFrame(s.t, c, 0x81, clientOpen)
	b := <-s.backend
	b.wantFrame("the beginning", clientOpen)
	b.say(serverOpen)
	c.wantFrame("the answer", 0x81, serverOpen)
	return c, b
}

// wantFrame compares the next frame. RFC 6455 §5.1: no frame of a server is
// masked; §5.2: its length has the shortest form.
func (c *rawClient) wantFrame(rule string, first byte, payload string) {
	c.t.Helper()
	var header [2]byte
	if _, err := io.ReadFull(c.in, header[:]); err != nil {
		c.t.Errorf("%s: %v", rule, err)
		return
	}
	length := uint64(header[1]) // a mask would make it above 127
	switch size := map[byte]int{126: 2, 127: 8}[header[1]]; size {
	case 2, 8:
		var long [8]byte
		_, _ = io.ReadFull(c.in, long[8-size:])
		length = binary.BigEndian.Uint64(long[:])
		if length < map[int]uint64{2: 126, 8: 1 << 16}[size] {
			c.t.Errorf("%s: %d bytes of length for %d", rule, size, length)
		}
	}
	if header[0] != first || length != uint64(len(payload)) {
		c.t.Fatalf("%s: got % x, %d bytes; want %x, %d bytes", rule, header, length, first, len(payload))
	}
	got := make([]byte, length)
	if _, err := io.ReadFull(c.in, got); err != nil || string(got) != payload {
		c.t.Errorf("%s: got %q, %v; want %q", rule, got, err, payload)
	}
}

// wantFailure wants a close frame with a code, and then the end of the
// connection.
func (c *rawClient) wantFailure(rule string, code uint16) {
	c.t.Helper()
	var frame [4]byte
	if _, err := io.ReadFull(c.in, frame[:]); err != nil || frame[0] != 0x88 || binary.BigEndian.Uint16(frame[2:]) != code {
		c.t.Errorf("%s: got % x, %v; want close code %d", rule, frame, err, code)
		return
	}
	if frame[1] < 2 || frame[1] > 125 {
		c.t.Errorf("%s: a close frame of %d bytes", rule, frame[1])
		return
	}
	if _, err := io.CopyN(io.Discard, c.in, int64(frame[1])-2); err != nil {
		c.t.Errorf("%s: the reason: %v", rule, err)
	}
	c.wantGone(rule)
}

// wantGone wants that the server closes the connection, and says nothing more.
func (c *rawClient) wantGone(rule string) {
	c.t.Helper()
	if rest, err := io.ReadAll(c.in); err != nil || len(rest) > 0 {
		c.t.Errorf("%s: then came %q, %v", rule, rest, err)
	}
}

// RFC 6455 §4.2
func TestHandshakeByHand(t *testing.T) {
	t.Run("S-04.8 W-03.2 the example of the specification", bubble(func(t *testing.T) {
		_, resp := startXMPP(t, xmppOptions()).shake(handshake)
		h := resp.Header
		if resp.StatusCode != http.StatusSwitchingProtocols || h.Get("Upgrade") != "websocket" || h.Get("Connection") != "Upgrade" ||
			h.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" || h.Get("Sec-WebSocket-Protocol") != "xmpp" ||
			h["Sec-Websocket-Extensions"] != nil {
			t.Errorf("got %v", resp)
		}
	}))
	for _, test := range []struct {
		name, from, to string
		status         int
	}{
		{"S-04.2 tokens in lists, in any case", "Upgrade: websocket\r\nConnection: Upgrade", "Upgrade: foo, WebSocket\r\nConnection: keep-alive, UPGRADE", 101},
		{"S-04.1 S-04.2 HTTP/1.0", "HTTP/1.1", "HTTP/1.0", 400},
		{"S-04.1 S-04.2 no host", "Host: im.test\r\n", "", 400},
		{"S-04.1 S-04.2 no upgrade", "Upgrade: websocket\r\n", "", 400},
		{"S-04.1 S-04.2 no connection", "Connection: Upgrade\r\n", "", 400},
		{"S-04.1 S-04.2 another upgrade", "Upgrade: websocket", "Upgrade: h2c", 400},
		{"S-04.1 S-04.2 another method", "GET", "PUT", 405},
		{"S-04.1 S-04.3 no key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 400},
		{"S-04.1 S-04.3 a key of 15 bytes", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j", 400},
		{"S-04.1 S-04.3 a key of 17 bytes", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZSE=", 400},
		{"S-04.1 S-04.3 a key that is not base64", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZ!==", 400},
		{"S-04.1 S-04.4 no version", "Sec-WebSocket-Version: 13\r\n", "", 400},
		{"S-04.1 S-04.4 another version", "Version: 13", "Version: 25", 400},
		{"S-04.7 another path", "/ws", "/elsewhere", 404},
	} {
		t.Run(test.name, bubble(func(t *testing.T) {
			s := startXMPP(t, xmppOptions())
			_, resp := s.shake(strings.Replace(handshake, test.from, test.to, 1))
			if resp.StatusCode != test.status {
				t.Errorf("got %v", resp)
			}
			if strings.Contains(test.name, "S-04.4") && resp.Header.Get("Sec-WebSocket-Version") != "13" {
				t.Errorf("the version spoken is not told: %v", resp.Header)
			}
			if resp.StatusCode != 101 && (resp.Header["Upgrade"] != nil || resp.Header["Sec-Websocket-Accept"] != nil) {
				t.Errorf("refused, and half accepted: %v", resp.Header)
			}
		}))
	}
	for _, test := range []struct {
		name, offer string
		on, want    bool
	}{
		{"S-04.11 offered, and wanted", "permessage-deflate; client_max_window_bits", true, true},
		{"S-04.11 the second of two offers", "x-webkit-deflate-frame, permessage-deflate", true, true},
		{"S-04.11 offered, but off", "permessage-deflate", false, false},
		{"S-04.11 not offered", "", true, false},
		{"S-04.11 another one", "x-webkit-deflate-frame", true, false},
		{"S-04.11 with a window that we cannot keep to", "permessage-deflate; server_max_window_bits=10", true, false},
		{"S-04.11 with that, or without", "permessage-deflate; server_max_window_bits=10, permessage-deflate", true, true},
		{"S-04.11 with what nobody knows", "permessage-deflate; foo=1", true, false},
	} {
		t.Run(test.name, bubble(func(t *testing.T) {
			o := xmppOptions()
			o.Compression = test.on
			request := strings.Replace(handshake, "\r\n\r\n", "\r\nSec-WebSocket-Extensions: "+test.offer+"\r\n\r\n", 1)
			_, resp := startXMPP(t, o).shake(request)
			const deflate = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
			want := map[bool]string{true: deflate}[test.want]
			if got := resp.Header.Get("Sec-WebSocket-Extensions"); resp.StatusCode != 101 || got != want {
				t.Errorf("got %d %q, want %q", resp.StatusCode, got, want)
			}
		}))
	}
	t.Run("S-04.5 S-10.1 C-19 the origin decides for pages, and for nobody else", bubble(func(t *testing.T) {
		o := xmppOptions()
		o.Push.Origins = []string{"https://chat.example"}
		s := startXMPP(t, o)
		for origin, status := range map[string]int{
			"": 101, "Origin: https://chat.example\r\n": 101, "Origin: https://im.test\r\n": 101, // its own
			"Origin: https://evil.example\r\n": 403, "Origin: null\r\n": 403, "Origin: https://chat.example:444\r\n": 403,
		} {
			_, resp := s.shake(strings.Replace(handshake, "Upgrade:", origin+"Upgrade:", 1))
			if resp.StatusCode != status {
				t.Errorf("%q: got %v", origin, resp)
			}
		}
	}))
	t.Run("S-10.3 what stands in front may demand more", bubble(func(t *testing.T) {
		h := websocket.NewHandler(transport.NewManager(&transport.Options{Backend: pushtest.Echo}), nil)
		guarded := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, _, ok := r.BasicAuth(); !ok {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			h.ServeHTTP(w, r)
		})
		w := httptest.NewRecorder()
		guarded.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if w.Code != http.StatusUnauthorized {
			t.Errorf("got %d", w.Code)
		}
	}))
}

// wss, on a real connection.
func TestTLS(t *testing.T) {
	t.Attr("requirements", "W-03.31 S-10.4")
	m := transport.NewManager(&transport.Options{Backend: pushtest.Echo})
	server := httptest.NewTLSServer(websocket.NewHandler(m, xmppOptions()))
	defer server.Close()
	defer m.Shutdown(context.Background())
	d := gorilla.Dialer{TLSClientConfig: server.Client().Transport.(*http.Transport).TLSClientConfig, Subprotocols: []string{"xmpp"}}
	ws, _, err := d.Dial("wss"+strings.TrimPrefix(server.URL, "https"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	c := &xmppClient{t, ws}
	c.say(clientOpen)
	c.want("the echo", clientOpen)
}

// RFC 6455 §5
func TestFrames(t *testing.T) {
	const stanza = `<a xmlns="urn:1"/>`
	t.Run("S-05.2 S-05.5 W-03.9 frames of each length are unmasked, and as short as can be", bubble(func(t *testing.T) {
		o := xmppOptions()
		o.Push.MaxBody = 1 << 20
		c, b := startXMPP(t, o).raw()
		for _, size := range []int{30, 125, 126, 4000, 5000, 65535, 65536, 100_000} {
			frame := `<a xmlns="urn:1">` + strings.Repeat("x", size-len(`<a xmlns="urn:1"></a>`)) + `</a>`
			b.say(frame)
			c.wantFrame("to the client", 0x81, frame)
		}
	}))
	t.Run("S-05.13 S-05.2 T-28 each ping has its pong, with what it said", bubble(func(t *testing.T) {
		c, _ := startXMPP(t, xmppOptions()).raw()
		for _, data := range []string{"abc", "", strings.Repeat("x", 125)} {
			writeFrame(t, c, 0x89, data)
			c.wantFrame("the pong", 0x8a, data)
		}
	}))
	t.Run("S-05.14 a pong nobody asked for is ignored", bubble(func(t *testing.T) {
		c, b := startXMPP(t, xmppOptions()).raw()
		writeFrame(t, c, 0x8a, "abc")
		writeFrame(t, c, 0x81, stanza)
		b.wantFrame("what follows", stanza)
		b.say(stanza)
		c.wantFrame("no answer to it", 0x81, stanza)
	}))
	t.Run("S-05.6 T-28 fragments, some of them empty", bubble(func(t *testing.T) {
		c, b := startXMPP(t, xmppOptions()).raw()
		writeFrame(t, c, 0x01, "")
		for _, r := range stanza {
			writeFrame(t, c, 0x00, string(r))
		}
		writeFrame(t, c, 0x80, "")
		b.wantFrame("the whole", stanza)
	}))
	masked := func(first byte, payload string) string {
		return string([]byte{first, 0x80 | byte(len(payload)), 0, 0, 0, 0}) + payload
	}
	for _, test := range []struct {
		name, bytes string
		code        uint16
	}{
		{"S-05.1 S-07.2 a frame without a mask", "\x81\x01<", 1002},
		{"S-05.3 S-07.2 the first reserved bit", masked(0xc1, stanza), 1002},
		{"S-05.3 the second reserved bit", masked(0xa1, stanza), 1002},
		{"S-05.3 the third reserved bit", masked(0x91, stanza), 1002},
		{"S-05.4 S-07.2 an unknown kind of data", masked(0x83, stanza), 1002},
		{"S-05.4 an unknown kind of control", masked(0x8b, ""), 1002},
		{"S-05.8 a message inside another", masked(0x01, "<a") + masked(0x81, stanza), 1002},
		{"S-05.8 the end of no message", masked(0x80, stanza), 1002},
		{"S-05.9 a ping too long", "\x89\xfe\x00\x7e\x00\x00\x00\x00", 1002},
		{"S-05.9 a ping in fragments", masked(0x09, "abc"), 1002},
		{"S-05.5 S-10.2 a length with the top bit set", "\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00", 1002},
		{"S-05.12 S-07.3 a close code that is never sent", masked(0x88, "\x03\xed"), 1002},
		{"S-05.12 a close code that does not exist", masked(0x88, "\x00\x01"), 1002},
		{"S-05.12 a close reason that is not UTF-8", masked(0x88, "\x03\xe8\xff"), 1002},
		{"S-05.10 S-07.1 a close is answered by its code", masked(0x88, "\x03\xe9"), 1001},
		{"S-05.15 T-28 an overlong character", masked(0x81, "<a xmlns='urn:1'>\xc0\xaf</a>"), 1007},
		{"S-05.15 T-28 half a character", masked(0x01, "<a xmlns='urn:1'>\xf0\x9f") + masked(0x80, "</a>"), 1007},
		{"S-05.15 UTF-16 with its mark", masked(0x81, "\xfe\xff\x00<\x00a\x00/\x00>"), 1007},
	} {
		t.Run(test.name, bubble(func(t *testing.T) {
			var log bytes.Buffer
			o := xmppOptions()
			o.Push.Logger = slog.New(slog.NewTextHandler(&log, nil))
			c, b := startXMPP(t, o).raw()
			go io.WriteString(c, test.bytes) // nobody reads behind the fault
			c.wantFailure("S-07.1", test.code)
			b.wantEnd("for the backend", transport.Inactive)
			if len(b.got) != 0 {
				t.Errorf("the backend got %q", <-b.got)
			}
			synctest.Wait()
			if logged := strings.Count(log.String(), "websocket failed"); logged > 1 || logged == 0 && test.code != 1001 && test.bytes[0] != 0x88 {
				t.Errorf("logged %q", &log)
			}
		}))
	}
	t.Run("S-05.12 S-07.3 a close without a code is answered without", bubble(func(t *testing.T) {
		for _, body := range []string{"", "\x03"} { // one byte is no code
			c, _ := startXMPP(t, xmppOptions()).raw()
			writeFrame(t, c, 0x88, body)
			c.wantFrame("the answer", 0x88, "")
			c.wantGone("S-07.1")
		}
	}))
	t.Run("S-05.11 W-03.23 nothing follows our close frame", bubble(func(t *testing.T) {
		c, b := startXMPP(t, xmppOptions()).raw()
		writeFrame(t, c, 0x88, "\x03\xe8")
		synctest.Wait() // ours is on its way
		_ = b.TrySend([]byte(stanza))
		c.wantFailure("the close frame", 1000)
	}))
	t.Run("S-10.2 W-X.1 a message without an end is no memory, and not for ever", bubble(func(t *testing.T) {
		c, b := startXMPP(t, xmppOptions()).raw()
		go func() {
			io.WriteString(c, "\x81\xff\x3f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00")
			for {
				if _, err := io.WriteString(c, strings.Repeat("x", 1000)); err != nil {
					return
				}
				time.Sleep(time.Second / 10)
			}
		}()
		var header [2]byte
		if _, err := io.ReadFull(c.in, header[:]); err != nil || header[0] != 0x81 {
			t.Errorf("got % x, %v", header, err)
		}
		start := time.Now()
		said, err := io.ReadAll(c.in)
		if !strings.Contains(string(said), "<policy-violation ") || !strings.Contains(string(said), closeStream+"\x88\x02\x03\xf1") {
			t.Errorf("got %q, %v", said, err)
		}
		if waited := time.Since(start); waited > push.DefaultBodyTimeout {
			t.Errorf("after %v", waited)
		}
		b.wantEnd("for the backend", transport.TooBig)
	}))
	t.Run("S-10.2 W-X.1 what does not inflate", bubble(func(t *testing.T) {
		o := xmppOptions()
		o.Compression = true
		for name, data := range map[string]string{"garbage": "\xff\xff\xff\xff", "the start of a block": "\x00\x05"} {
			s := startXMPP(t, o)
			c, _ := s.shake(strings.Replace(handshake, "\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n", 1))
			writeFrame(t, c, 0xc1, data)
			c.wantFailure(name, 1007)
		}
	}))
	t.Run("S-10.2 W-X.1 a bomb", bubble(func(t *testing.T) {
		o := xmppOptions()
		o.Compression = true
		c, b := startXMPP(t, o).open()
		var bomb bytes.Buffer
		w, err := flate.NewWriter(&bomb, flate.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		for range 1000 {
			io.WriteString(w, strings.Repeat(" ", 10_000))
		}
		w.Flush()
		frame := binary.BigEndian.AppendUint16([]byte{0xc1, 0x80 | 126}, uint16(bomb.Len()-4))
		go c.NetConn().Write(append(append(frame, 0, 0, 0, 0), bomb.Bytes()[:bomb.Len()-4]...))
		c.wantError("the error", "policy-violation")
		c.want("the end", closeStream)
		b.wantEnd("for the backend", transport.TooBig)
	}))
}
