package chaos

import (
	"bufio"
	"bytes"
	"testing"
)

// A head is passed on as it was sent, and the length of what follows is that of
// the head or unknown, never made up.
func FuzzHead(f *testing.F) {
	for _, seed := range []string{
		"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 204 No Content\n\n",
		"\r\n\r\n", "GET", "HTTP/1.1 20", "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "POST / HTTP/1.1\r\n: x\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		head, err := readHead(bufio.NewReader(bytes.NewReader(data)))
		if err != nil {
			return
		}
		if !bytes.HasPrefix(data, head) {
			t.Fatalf("%q became %q", data, head)
		}
		line, h, err := fields(head)
		if err != nil {
			return
		}
		if n, known, err := requestLength(h); err == nil && (n < 0 || !known && h.Get("Transfer-Encoding") == "") {
			t.Errorf("%q: length %d, %v", head, n, known)
		}
		if n, known, err := responseLength("GET", line, h); err == nil && (n < 0 || known && n > 0 && h.Get("Content-Length") == "") {
			t.Errorf("%q: length of the answer %d, %v", head, n, known)
		}
	})
}
