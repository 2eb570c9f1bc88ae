package websocket

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
)

// A frame is as short as can be, and begins with nothing of the one before that
// had its buffer.
func TestFramesAreShortest(t *testing.T) {
	for _, n := range []int{70_000, 0, 125, 126, 1, 65_535, 65_536, 3} {
		payload := strings.Repeat("x", n)
		f := takeFrame(func(dst []byte) []byte { return append(dst, payload...) })
		var header []byte
		switch {
		case n < 126:
			header = []byte{0x81, byte(n)}
		case n < 1<<16:
			header = []byte{0x81, 126, byte(n >> 8), byte(n)}
		default:
			header = []byte{0x81, 127, 0, 0, 0, 0, 0, byte(n >> 16), byte(n >> 8), byte(n)}
		}
		if got := f.bytes(); !bytes.Equal(got, append(header, payload...)) {
			t.Errorf("%d bytes: %x…", n, got[:min(len(got), 12)])
		}
		f.free()
	}
}

// What is read past the library is a whole, short, masked text message; all else
// is the library's.
func TestShortMessages(t *testing.T) {
	const mask = "\x01\x02\x03\x04"
	for _, test := range []struct{ name, in, want string }{
		{"short", "\x81\x85" + mask + "igohn", "hello"},
		{"empty", "\x81\x80" + mask, ""},
		{"two", "\x81\x81" + mask + "i\x81\x81" + mask + "j", "h"},
		{"too long", "\x81\x8b" + mask + "igohn#uowmf", "-"},
		{"not all there", "\x81\x85" + mask + "igoh", "-"},
		{"its header is not all there", "\x81\x85\x01\x02", "-"},
		{"not masked", "\x81\x05hello", "-"},
		{"with a longer length", "\x81\xfe\x00\x05" + mask + "igohn", "-"},
		{"binary", "\x82\x85" + mask + "igohn", "-"},
		{"a fragment", "\x01\x85" + mask + "igohn", "-"},
		{"compressed", "\xc1\x85" + mask + "igohn", "-"},
		{"a ping", "\x89\x85" + mask + "igohn", "-"},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := bufio.NewReader(strings.NewReader(test.in))
			in.Peek(1)
			c := &conn{idle: idler{in: in}, limit: 10}
			got, left := c.short(), in.Buffered()
			switch {
			case test.want == "-" && (got != nil || left != len(test.in)):
				t.Errorf("got %q, %d bytes left", got, left)
			case test.want != "-" && (string(got) != test.want || left != len(test.in)-6-len(test.want)):
				t.Errorf("got %q, %d bytes left", got, left)
			}
			c.idle.within = true
			if got := c.short(); got != nil {
				t.Errorf("got %q within a message", got)
			}
		})
	}
}

// RFC 6455 §5.5.1: no data follows a close frame, also not past the library,
// which sends that by itself.
func TestNothingIsSentAfterTheLibraryClosed(t *testing.T) {
	client, server := net.Pipe()
	go func() {
		c := &corked{Conn: server}
		_ = c.send([]byte("\x81\x01a"))
		_, _ = c.Write([]byte("\x89\x00"))
		_ = c.send([]byte("\x81\x01b"))
		_, _ = c.Write([]byte("\x88\x00"))
		if err := c.send([]byte("\x81\x01c")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("sent: %v", err)
		}
		server.Close()
	}()
	if got, err := io.ReadAll(client); string(got) != "\x81\x01a\x89\x00\x81\x01b\x88\x00" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}
