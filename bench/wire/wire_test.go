package wire

import (
	"strings"
	"testing"
)

func TestAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		data, body string
		status     int
		after      string
	}{
		"with a length":      {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP", "abc", 200, "HTTP"},
		"lower case":         {"HTTP/1.1 200 OK\r\nA: b\r\ncontent-length:3\r\n\r\nabc", "abc", 200, ""},
		"a field like it":    {"HTTP/1.1 200 OK\r\nX-Content-Length: 12\r\nContent-Length: 1\r\n\r\na", "a", 200, ""},
		"without a body":     {"HTTP/1.1 304 Not Modified\r\n\r\n", "", 304, ""},
		"in chunks":          {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n", "abc0123456789", 200, ""},
		"an empty one of it": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nHTTP", "", 200, "HTTP"},
	} {
		t.Run(name, func(t *testing.T) {
			whole := len(c.data) - len(c.after)
			for n := range whole {
				if _, length, err := ParseAnswer([]byte(c.data[:n])); length != 0 || err != nil {
					t.Fatalf("%d bytes of it are an answer of %d, %v", n, length, err)
				}
			}
			a, length, err := ParseAnswer([]byte(c.data))
			if err != nil || length != whole || a.Status != c.status || string(a.Body) != c.body {
				t.Errorf("%d %q, %d of %d bytes, %v", a.Status, a.Body, length, whole, err)
			}
		})
	}
	if _, _, err := ParseAnswer([]byte("GET / HTTP/1.1\r\n\r\n")); err == nil {
		t.Error("a request is no answer")
	}
}

func TestChunksInPieces(t *testing.T) {
	const data, body = "5\r\nhello\r\n1\r\n \r\n00c\r\nwhole world!\r\n0\r\n\r\n", "hello whole world!"
	for piece := 1; piece <= len(data); piece++ {
		var c Chunks
		var got strings.Builder
		for i := 0; i < len(data); i += piece {
			part := data[i:min(i+piece, len(data))]
			if n := c.Decode([]byte(part), func(b []byte) { got.Write(b) }); n != len(part) {
				t.Fatalf("in pieces of %d: took %d of %q", piece, n, part)
			}
		}
		if got.String() != body || !c.Ended {
			t.Fatalf("in pieces of %d: %q, ended %v", piece, got.String(), c.Ended)
		}
	}
}

func TestFrame(t *testing.T) {
	for _, payload := range []string{"", "a", strings.Repeat("b", 125), strings.Repeat("c", 126), strings.Repeat("d", 65535)} {
		data := []byte{0x80 | Text, byte(len(payload))}
		if len(payload) > 125 {
			data = []byte{0x80 | Text, 126, byte(len(payload) >> 8), byte(len(payload))}
		}
		data = append(data, payload...)
		if _, length, err := ParseFrame(data[:len(data)-1]); length != 0 || err != nil {
			t.Errorf("not all of a frame: %d, %v", length, err)
		}
		f, length, err := ParseFrame(append(data, "next"...))
		if err != nil || length != len(data) || f.Opcode != Text || !f.Final || string(f.Payload) != payload {
			t.Errorf("%+v, %d of %d bytes, %v", f, length, len(data), err)
		}
	}
	if _, _, err := ParseFrame([]byte{0x81, 127}); err == nil {
		t.Error("frames of more than 64 KB are not taken")
	}
}

// Whatever is read in whatever pieces is the same, and no length is made up.
func FuzzWire(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nab", "HTTP/1.1\r\n\r\n", "\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff", "\x81\x02ab", "fffffffff\r\n",
	} {
		f.Add([]byte(seed), uint16(3))
	}
	f.Fuzz(func(t *testing.T, data []byte, at uint16) {
		if _, n, err := ParseAnswer(data); err == nil && (n < 0 || n > len(data)) {
			t.Errorf("an answer of %d bytes in %q", n, data)
		}
		if _, n, err := ParseFrame(data); err == nil && (n < 0 || n > len(data)) {
			t.Errorf("a frame of %d bytes in %q", n, data)
		}
		var whole, pieces Chunks
		var one, two []byte
		n := whole.Decode(data, func(p []byte) { one = append(one, p...) })
		i := min(int(at), len(data))
		m := pieces.Decode(data[:i], func(p []byte) { two = append(two, p...) })
		m += pieces.Decode(data[i:], func(p []byte) { two = append(two, p...) })
		if m != n || string(one) != string(two) || whole.Ended != pieces.Ended {
			t.Errorf("%q: %d bytes, %q; in pieces %d, %q", data, n, one, m, two)
		}
	})
}
