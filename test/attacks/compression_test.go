package attacks

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

// What is small and becomes large when it is decompressed is refused when it
// reaches the limit, not when it is all there.
func TestCompressionBombs(t *testing.T) {
	s := serve(t, "--websocket-compress")
	before := s.memory("VmHWM")
	zeros := make([]byte, 200<<20)
	t.Run("gzip to BOSH", func(t *testing.T) {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		z.Write(zeros)
		z.Close()
		a := s.call("POST", "/http-bind", b.String(), "Content-Encoding: gzip")
		want(t, "the answer", a.body, "policy-violation")
	})
	t.Run("deflate to BOSH", func(t *testing.T) {
		var b bytes.Buffer
		z := zlib.NewWriter(&b)
		io.Copy(z, bytes.NewReader(zeros))
		z.Close()
		a := s.call("POST", "/http-bind", b.String(), "Content-Encoding: deflate")
		want(t, "the answer", a.body, "policy-violation")
	})
	t.Run("one in another", func(t *testing.T) {
		a := s.call("POST", "/http-bind", "x", "Content-Encoding: gzip, gzip")
		want(t, "the answer", a.body, "bad-request")
	})
	t.Run("to push.v1, which decompresses nothing", func(t *testing.T) {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		z.Write(zeros[:1<<20])
		z.Close()
		if a := s.call("POST", "/push", b.String(), "Content-Encoding: gzip"); a.StatusCode != 400 {
			t.Errorf("%s", a.Status)
		}
	})
	t.Run("to a WebSocket", func(t *testing.T) {
		d := websocket.Dialer{EnableCompression: true, Subprotocols: []string{"push.v1"}}
		ws, resp, err := d.Dial("ws://"+s.addr+"/push/ws", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer ws.Close()
		want(t, "the handshake", resp.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate")
		ws.SetWriteDeadline(deadline())
		ws.SetReadDeadline(deadline())
		w, err := ws.NextWriter(websocket.TextMessage)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(zeros) // as far as the server lets it come
		w.Close()
		_, _, err = ws.ReadMessage()
		if !websocket.IsCloseError(err, 1009) && !strings.Contains(err.Error(), "reset") && !strings.Contains(err.Error(), "broken pipe") {
			t.Errorf("%v", err)
		}
	})
	t.Run("an answer that is to be compressed in a thousand ways", func(t *testing.T) {
		a := s.call("POST", "/http-bind", body("rid='1' to='bus'", ""), "Accept-Encoding: "+strings.Repeat("gzip;q=0.5,", 3000))
		want(t, "the answer", a.Status, "200")
	})
	if took := s.memory("VmHWM") - before; took > 100<<20 {
		t.Errorf("it took %d MB", took>>20)
	}
	s.wantWell()
}
