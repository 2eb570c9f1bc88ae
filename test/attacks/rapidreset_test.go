package attacks

import (
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// A client of HTTP/2 that opens streams and resets them at once, as fast as it
// can (CVE-2023-44487), or sends a header that never ends (CVE-2023-45288), keeps
// the server from nobody, nor does it take memory.
func TestRapidReset(t *testing.T) {
	s := serve(t)
	before := s.memory("VmRSS")
	c := http2(t, s)
	header := headers("/push")
	sent := 0
	for ; sent < 50_000; sent++ {
		stream := uint32(2*sent + 1)
		if _, err := c.Write(append(frame(1, 4, stream, header), frame(3, 0, stream, []byte{0, 0, 0, 8})...)); err != nil {
			break // it had enough
		}
	}
	s.wantWell()
	c.Close()
	t.Logf("%d streams", sent)
	if took := s.memory("VmRSS") - before; took > 64<<20 {
		t.Errorf("it took %d MB", took>>20)
	}
}

func TestEndlessHeader(t *testing.T) {
	s := serve(t)
	c := http2(t, s)
	c.Write(frame(1, 0, 1, headers("/push")))                     // without END_HEADERS
	field := append([]byte{0, 1, 'x', 100}, make([]byte, 100)...) // a literal that is not indexed
	for i := range field[4:] {
		field[4+i] = 'x'
	}
	more := frame(9, 0, 1, []byte(strings.Repeat(string(field), 100)))
	sent := 0
	for ; sent < 5000; sent++ { // 50 MB
		if _, err := c.Write(more); err != nil {
			break
		}
	}
	if sent == 5000 {
		t.Error("50 MB of a header were taken")
	}
	s.wantWell()
}

// http2 begins a connection in clear, with prior knowledge, and reads what comes.
func http2(t *testing.T, s *server) net.Conn {
	c := s.dial()
	c.SetDeadline(time.Now().Add(patience))
	go io.Copy(io.Discard, c)
	io.WriteString(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	c.Write(frame(4, 0, 0, nil)) // SETTINGS
	return c
}

// frame is one of HTTP/2 (RFC 9113 §4.1).
func frame(kind, flags byte, stream uint32, payload []byte) []byte {
	n := len(payload)
	f := []byte{byte(n >> 16), byte(n >> 8), byte(n), kind, flags, 0, 0, 0, 0}
	binary.BigEndian.PutUint32(f[5:], stream)
	return append(f, payload...)
}

// headers is a POST in HPACK (RFC 7541), by the static table.
func headers(path string) []byte {
	h := []byte{0x83, 0x86, 0x04, byte(len(path))} // POST, http, a path
	h = append(h, path...)
	h = append(h, 0x01, 9) // an authority
	return append(h, "localhost"...)
}
