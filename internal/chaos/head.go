package chaos

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/textproto"
	"strconv"
)

var errHead = errors.New("chaos: not the head of an HTTP message")

// maxHead bounds the bytes of a head.
const maxHead = 64 << 10

// readHead reads the head of a message, and returns it as it was sent.
func readHead(r *bufio.Reader) ([]byte, error) {
	var head []byte
	for {
		line, err := r.ReadSlice('\n')
		head = append(head, line...)
		switch {
		case err != nil:
			return nil, err
		case len(head) > maxHead:
			return nil, errHead
		case len(bytes.TrimRight(line, "\r\n")) == 0:
			return head, nil
		}
	}
}

// fields returns the header fields of a head, and its first line.
func fields(head []byte) (line string, h http.Header, err error) {
	r := textproto.NewReader(bufio.NewReader(bytes.NewReader(head)))
	if line, err = r.ReadLine(); err != nil {
		return "", nil, err
	}
	mime, err := r.ReadMIMEHeader()
	return line, http.Header(mime), err
}

// readBody appends a body of known length to its head.
func readBody(r io.Reader, head []byte, length int64) ([]byte, error) {
	whole := make([]byte, int64(len(head))+length)
	copy(whole, head)
	_, err := io.ReadFull(r, whole[len(head):])
	return whole, err
}

// requestLength returns the length of a request's body; known is false if only
// its end tells.
func requestLength(h http.Header) (n int64, known bool, err error) {
	if h.Get("Transfer-Encoding") != "" {
		return 0, false, nil
	}
	if v := h.Get("Content-Length"); v != "" {
		size, err := strconv.ParseUint(v, 10, 63)
		return int64(size), true, err
	}
	return 0, true, nil
}

// responseLength is the same for an answer. A head that says neither is one of
// a stream, save where there is no body at all.
func responseLength(method, line string, h http.Header) (n int64, known bool, err error) {
	if len(line) < 12 {
		return 0, false, errHead
	}
	status := line[9:12]
	switch {
	case method == "HEAD", status == "204", status == "304":
		return 0, true, nil
	case h.Get("Content-Length") == "":
		return 0, false, nil
	}
	return requestLength(h)
}
