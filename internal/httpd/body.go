//go:build linux

package httpd

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync"
	"time"
)

// A body is that of a request. It belongs to the reader, so it ends when the
// handler returns.
type body struct {
	mu      sync.Mutex
	w       *response
	r       *reader // nil: nothing can be read any more
	req     *http.Request
	left    int64     // of one whose length is known
	chunks  io.Reader // of one that comes in chunks
	err     error     // io.EOF: it was read to its end
	expects bool      // the client waits for 100 (RFC 9110 §10.1.1)
}

// maxUnread is how much of a body that a handler did not read is read to keep
// the connection.
const maxUnread = 256 << 10

// maxTrailer bounds the fields behind a body in chunks.
const maxTrailer = 4096

func (b *body) begin(r *reader, w *response, req *http.Request, how coding) {
	if how == none {
		b.err = io.EOF
		w.bodyDone, w.pipelined = true, r.Buffered() > 0
		req.Body = http.NoBody
		return
	}
	b.w, b.r, b.req, b.left = w, r, req, req.ContentLength
	if how == chunked {
		b.chunks = httputil.NewChunkedReader(r.Reader)
	}
	req.Body = b
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (n int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil && b.r == nil {
		return 0, http.ErrBodyReadAfterClose
	}
	if b.err != nil || len(p) == 0 {
		return 0, b.err
	}
	if b.expects {
		b.expects = false
		b.w.goOn()
	}
	if b.chunks != nil {
		n, err = b.readChunks(p)
	} else {
		n, err = b.readCounted(p)
	}
	b.err = err
	if err == io.EOF {
		b.w.bodyRead()
	}
	return n, err
}

// Arrived reports whether all of the body is there: reading it waits for nothing.
func (b *body) Arrived() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.r != nil && b.chunks == nil && !b.expects && int64(b.r.Buffered()) >= b.left
}

func (b *body) readCounted(p []byte) (n int, err error) {
	n, err = b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	switch {
	case b.left == 0:
		err = io.EOF
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (b *body) readChunks(p []byte) (n int, err error) {
	n, err = b.chunks.Read(p)
	if err == io.EOF {
		err = b.readTrailer()
		if err == nil {
			err = io.EOF
		}
	}
	return n, err
}

var errTrailer = errors.New("httpd: bad trailer")

// readTrailer reads what follows the last chunk (RFC 9112 §7.1.2).
func (b *body) readTrailer() error {
	for size := 0; ; {
		line, err := b.r.ReadSlice('\n')
		size += len(line)
		switch {
		case err == bufio.ErrBufferFull, size > maxTrailer:
			return errTrailer
		case err == io.EOF:
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		}
		text, ok := strings.CutSuffix(string(line), "\r\n")
		switch {
		case !ok:
			return errTrailer
		case text == "":
			return nil
		}
		name, value, err := parseField(text)
		if err != nil {
			return err
		}
		if b.req.Trailer == nil {
			b.req.Trailer = make(http.Header)
		}
		b.req.Trailer.Add(name, value)
	}
}

// Close implements io.Closer. What was not read is dealt with when the handler
// has returned.
func (b *body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.err = http.ErrBodyReadAfterClose
	}
	return nil
}

// closes reports whether the connection ends with the answer, as far as that is
// known before its header is written.
func (w *response) closes() bool {
	return w.closing || !w.headed && first(w.fields(), "Connection") == "close"
}

// finish takes the body back, and reads to its end if that is not far. It
// reports whether it got there.
func (b *body) finish() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer func() { b.r, b.req, b.chunks = nil, nil, nil }() // a held request must not keep them
	switch {
	case b.err == io.EOF:
		return true
	case b.r == nil, b.err != nil && b.err != http.ErrBodyReadAfterClose, b.expects, b.w.closes(), b.left > maxUnread:
		return false
	}
	c := b.w.conn
	c.setReadDeadline(time.Now().Add(c.server.headerTimeout()))
	rest := io.Reader(readerFunc(b.readCounted))
	if b.chunks != nil {
		rest = readerFunc(b.readChunks)
	}
	n, err := io.CopyN(io.Discard, rest, maxUnread+1)
	return err == io.EOF && n <= maxUnread
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
