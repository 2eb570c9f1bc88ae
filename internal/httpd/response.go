//go:build linux

package httpd

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mochibosh/mochibosh/internal/park"
)

// A response is the answer to a request. The handler writes it, and while that
// runs, its writes may wait for the client. After Park they do not.
type response struct {
	conn *conn
	ctx  *requestContext
	body body    // of the request
	r    *reader // while the handler runs

	// What the request said.
	head, proto10, keepAlive10, wantsClose bool
	bodyDone                               bool // it is read; guarded by conn.mu
	pipelined                              bool // the next request is there; guarded by conn.mu

	header   http.Header
	early    []byte      // fields from before Park
	snapshot http.Header // what of it counts, if it was asked for once too often
	status   int         // zero: not written
	length   int64       // declared; negative: unknown
	written  int64
	trailers []string
	buf      *[]byte // of buffers: what is not sent yet; nil: nothing
	headed   bool    // buf begins with the header, or it was sent
	chunking bool
	closing  bool // the connection is closed afterwards
	unread   bool // there is more of the request
	hijacked bool

	// Guarded by conn.mu once the handler has returned.
	parked, returned, finished bool
	events                     park.Events
}

var _ park.Writer = (*response)(nil)

// buffers are for answers.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, bufferSize); return &b }}

// flushAt is how much of an answer is gathered before it is sent without its
// length.
const flushAt = 4096

// maxPooled is the largest buffer that is kept for the next answer.
const maxPooled = 64 << 10

// accept takes over what the request says of the answer.
func (w *response) accept(req *http.Request) {
	w.head = req.Method == http.MethodHead
	w.proto10 = req.ProtoMinor == 0
	w.keepAlive10 = w.proto10 && !req.Close
	w.wantsClose = req.Close || hasWord(req.Header["Connection"], "close")
}

// Header implements http.ResponseWriter.
func (w *response) Header() http.Header {
	if w.status != 0 && !w.headed && w.snapshot == nil {
		w.snapshot = w.header.Clone()
	}
	if w.header == nil {
		w.header = make(http.Header)
	}
	return w.header
}

// WriteHeader implements http.ResponseWriter.
func (w *response) WriteHeader(status int) {
	switch {
	case status < 100 || status > 999:
		panic(fmt.Sprintf("invalid WriteHeader code %v", status))
	case w.hijacked:
		w.conn.server.logf("httpd: WriteHeader on hijacked connection")
		return
	case w.status != 0:
		w.conn.server.logf("httpd: superfluous WriteHeader")
		return
	case status < 200 && status != http.StatusSwitchingProtocols:
		w.inform(status)
		return
	}
	w.status = status
	if !bodyAllowed(status) {
		return
	}
	if w.length = declaredLength(w.header); w.length >= 0 && w.header["Content-Type"] != nil {
		w.writeHead(nil) // nothing of it depends on the body
	}
}

// inform sends an answer before the answer (RFC 9110 §15.2).
func (w *response) inform(status int) {
	if w.proto10 {
		return
	}
	if status == http.StatusContinue {
		w.goOn()
		return
	}
	b := w.buffer()
	*b = appendStatus(*b, false, status)
	*b = appendFields(*b, w.header, func(name string) bool { return name == "Content-Length" || name == "Transfer-Encoding" })
	*b = append(*b, "\r\n"...)
	w.emit()
}

// goOn tells a client to send the body.
func (w *response) goOn() {
	w.body.expects = false
	if w.status == 0 && !w.proto10 {
		w.conn.write([]byte("HTTP/1.1 100 Continue\r\n\r\n"), w.conn.server.writeTimeout())
	}
}

// Write implements http.ResponseWriter.
func (w *response) Write(p []byte) (int, error) { return write(w, p) }

// WriteString implements io.StringWriter.
func (w *response) WriteString(s string) (int, error) { return write(w, s) }

func write[T []byte | string](w *response, p T) (int, error) {
	if w.hijacked {
		return 0, http.ErrHijacked
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if len(p) == 0 {
		return 0, nil
	}
	if !bodyAllowed(w.status) {
		return 0, http.ErrBodyNotAllowed
	}
	if w.written += int64(len(p)); w.length >= 0 && w.written > w.length {
		return 0, http.ErrContentLength
	}
	if w.head {
		if !w.headed && w.snapshot == nil { // for the type
			w.buffer()
			*w.buf = append(*w.buf, p[:min(len(p), max(0, sniffed-len(*w.buf)))]...)
		}
		return len(p), nil
	}
	if !w.headed && w.length >= 0 {
		w.writeHead([]byte(p))
	}
	b := w.buffer()
	if !w.headed && !w.parked && len(*b)+len(p) > flushAt {
		// Too much to wait for its end. What is gathered becomes the first chunk.
		w.startStream([]byte(p))
		b = w.buffer()
	}
	if w.chunking {
		*b = appendChunk(*b, p)
	} else {
		*b = append(*b, p...)
	}
	if w.headed && !w.parked && len(*b) >= flushAt {
		if err := w.emit(); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// appendChunk appends p as a chunk (RFC 9112 §7.1).
func appendChunk[T []byte | string](b []byte, p T) []byte {
	b = append(strconv.AppendInt(b, int64(len(p)), 16), "\r\n"...)
	return append(append(b, p...), "\r\n"...)
}

// sniffed is how many bytes the type is guessed from.
const sniffed = 512

// buffer returns what is to be sent, to append to.
func (w *response) buffer() *[]byte {
	if w.buf == nil {
		w.buf = buffers.Get().(*[]byte)
	}
	return w.buf
}

func (w *response) freeBuffer() {
	if w.buf == nil {
		return
	}
	if cap(*w.buf) <= maxPooled {
		*w.buf = (*w.buf)[:0]
		buffers.Put(w.buf)
	}
	w.buf = nil
}

// startStream writes the header of an answer whose end is not there yet, and
// what was gathered. The type is guessed from that, or from what comes next.
func (w *response) startStream(next []byte) {
	if w.headed {
		return
	}
	gathered := w.buf
	w.buf = nil
	var body []byte
	if gathered != nil {
		body = *gathered
	}
	if len(body) > 0 {
		next = body
	}
	w.writeHead(next)
	if len(body) > 0 && !w.head {
		b := w.buffer()
		if w.chunking {
			*b = appendChunk(*b, body)
		} else {
			*b = append(*b, body...)
		}
	}
	if gathered != nil {
		*gathered = body[:0]
		buffers.Put(gathered)
	}
}

// emit sends what is to be sent, without the lock.
func (w *response) emit() error {
	if w.buf == nil {
		return nil
	}
	defer w.freeBuffer()
	c := w.conn
	if w.parked {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.send(*w.buf)
		return nil
	}
	_, err := c.write(*w.buf, c.server.writeTimeout())
	if err != nil {
		w.closing = true
	}
	return err
}

// Flush implements http.Flusher.
func (w *response) Flush() { w.FlushError() }

// FlushError is Flush for http.ResponseController.
func (w *response) FlushError() error {
	if w.hijacked {
		return http.ErrHijacked
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.startStream(nil)
	return w.emit()
}

// SetReadDeadline, SetWriteDeadline and EnableFullDuplex are for
// http.ResponseController.
func (w *response) SetReadDeadline(t time.Time) error {
	w.conn.setReadDeadline(t)
	return nil
}

func (w *response) SetWriteDeadline(t time.Time) error {
	w.conn.setWriteDeadline(t)
	return nil
}

// EnableFullDuplex has nothing to do: bodies may always be read while answers
// are written.
func (w *response) EnableFullDuplex() error { return nil }

// finish ends the answer, with the lock held.
func (w *response) finish() {
	if w.finished {
		return
	}
	w.finished = true
	if w.status == 0 {
		w.status = http.StatusOK
		w.length = declaredLength(w.header)
	}
	var body []byte
	if !w.headed {
		gathered := w.buf
		w.buf = nil
		if gathered != nil {
			body = *gathered
		}
		if w.length < 0 && bodyAllowed(w.status) && (!w.head || 0 < w.written && w.written <= flushAt) && !w.hasTransferEncoding() && !w.hasTrailer() {
			w.length = w.written
		}
		w.writeHead(body)
		if !w.head {
			b := w.buffer()
			if w.chunking && len(body) > 0 {
				*b = appendChunk(*b, body)
			} else {
				*b = append(*b, body...)
			}
		}
		if gathered != nil {
			*gathered = body[:0]
			buffers.Put(gathered)
		}
	}
	if w.chunking && !w.head {
		w.writeTrailer()
	}
	if w.length >= 0 && w.written != w.length && !w.head && bodyAllowed(w.status) {
		w.closing = true // it is not what was declared
	}
	if w.buf != nil {
		w.conn.send(*w.buf)
		w.freeBuffer()
	}
	w.over()
}

// over frees what the answer needed, with the lock held.
func (w *response) over() {
	w.finished = true
	w.freeBuffer()
	w.header, w.snapshot, w.early, w.r, w.events = nil, nil, nil, nil, park.Events{}
	w.ctx.end()
}

// ---- what the connection tells

// bodyRead notes that the body was read to its end: what comes is another
// request, or the end.
func (w *response) bodyRead() {
	c := w.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	w.bodyDone = true
	w.pipelined = w.body.r.Buffered() > 0
	if w.watched() && (c.again || c.hup) {
		c.look()
	}
}

// watched reports whether somebody wants to know when the client goes away,
// with the lock held.
func (w *response) watched() bool { return w.ctx.done != nil && w.bodyDone }

// left tells that the client is gone, with the lock held.
func (w *response) left() {
	if w.finished {
		return
	}
	w.ctx.end()
	if f := w.events.Gone; f != nil && w.returned {
		w.events.Gone = nil
		go f()
	}
}

// behind tells that another request waits, with the lock held.
func (w *response) behind() {
	if f := w.events.Behind; f != nil && !w.finished {
		w.events.Behind = nil
		go f()
	}
}

// ---- park.Writer

// Park implements park.Writer.
func (w *response) Park(events park.Events) {
	w.conn.mu.Lock()
	defer w.conn.mu.Unlock()
	w.parked, w.events = true, events
	if w.status == 0 {
		w.pack()
	}
}

// pack turns the header into what will be sent of it, but for what has a say in
// the rest of it: a map costs as much as the rest of a held request.
func (w *response) pack() {
	all := w.header
	w.header = nil
	b := buffers.Get().(*[]byte)
	*b = appendFields(*b, all, telling)
	w.early = append([]byte(nil), *b...)
	*b = (*b)[:0]
	buffers.Put(b)
	for name, values := range all {
		if telling(name) {
			w.Header()[name] = values
		}
	}
}

func telling(name string) bool {
	switch name {
	case "Connection", "Content-Encoding", "Content-Length", "Content-Type", "Date", "Trailer", "Transfer-Encoding":
		return true
	}
	return strings.HasPrefix(name, http.TrailerPrefix)
}

// Unpark implements park.Writer.
func (w *response) Unpark() {
	w.conn.mu.Lock()
	defer w.conn.mu.Unlock()
	w.parked, w.events = false, park.Events{}
}

// Finish implements park.Writer.
func (w *response) Finish() {
	c := w.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if w.finished {
		return
	}
	if c.state == gone {
		w.over()
		return
	}
	w.finish()
	if c.state == parked {
		c.resume()
	}
}

// Drained implements park.Writer.
func (w *response) Drained() bool {
	w.conn.mu.Lock()
	defer w.conn.mu.Unlock()
	return len(w.conn.out) == 0
}

var errHijackUnsupported = errors.New("httpd: too late to hijack")
