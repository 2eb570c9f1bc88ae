//go:build linux

package httpd

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// bodyAllowed reports whether an answer of this status has a body
// (RFC 9110 §6.4.1).
func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

func first(h http.Header, name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// declaredLength returns the Content-Length that a handler has set; -1: none.
// What is no length is taken out.
func declaredLength(h http.Header) int64 {
	v := first(h, "Content-Length")
	if v == "" {
		return -1
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 0 {
		delete(h, "Content-Length")
		return -1
	}
	return n
}

func (w *response) fields() http.Header {
	if w.snapshot != nil {
		return w.snapshot
	}
	return w.header
}

func (w *response) hasTransferEncoding() bool { return first(w.fields(), "Transfer-Encoding") != "" }
func (w *response) hasTrailer() bool {
	for name := range w.fields() {
		if name == "Trailer" || strings.HasPrefix(name, http.TrailerPrefix) {
			return true
		}
	}
	return false
}

// writeHead appends the status line and the header. The body is what there is
// of it, to guess its type from.
func (w *response) writeHead(body []byte) {
	h := w.fields()
	w.headed = true
	allowed := bodyAllowed(w.status)
	te := first(h, "Transfer-Encoding")
	for _, v := range h["Trailer"] {
		w.declareTrailers(v)
	}

	// How the body ends, and whether the connection goes on.
	if w.length >= 0 && te != "" && te != "identity" {
		w.length = -1
	}
	switch {
	case w.head || !allowed || w.length >= 0:
	case w.proto10, te == "identity":
		w.closing = true
	default:
		w.chunking = true
	}
	connection := h["Connection"]
	keepAlive := ""
	if w.keepAlive10 && (w.head || w.length >= 0 || !allowed) {
		if connection == nil {
			keepAlive = "keep-alive"
		}
	} else if w.proto10 || w.wantsClose {
		w.closing = true
	}
	if first(h, "Connection") == "close" || w.conn.server.closing.Load() || w.body.expects {
		w.closing = true
	}
	switching := w.status == http.StatusSwitchingProtocols && hasToken(connection, "upgrade")
	sayClose := w.closing && !hasToken(connection, "close") && !switching

	b := *w.buffer()
	b = appendStatus(b, w.proto10, w.status)
	b = append(b, w.early...)
	for name, values := range h {
		switch name {
		case "Content-Length":
			if !allowed || w.chunking || w.length < 0 {
				continue
			}
		case "Transfer-Encoding":
			continue
		case "Content-Type":
			if w.status == http.StatusNotModified {
				continue
			}
		case "Connection":
			if sayClose {
				continue
			}
		default:
			if strings.HasPrefix(name, http.TrailerPrefix) || slices.Contains(w.trailers, name) {
				continue
			}
		}
		b = appendField(b, name, values)
	}
	if allowed && w.length >= 0 && h["Content-Length"] == nil {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, w.length, 10)
		b = append(b, "\r\n"...)
	}
	if w.chunking {
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	if _, typed := h["Content-Type"]; allowed && !typed && len(body) > 0 && te == "" && first(h, "Content-Encoding") == "" {
		b = append(b, "Content-Type: "...)
		b = append(b, http.DetectContentType(body)...)
		b = append(b, "\r\n"...)
	}
	if sayClose && !w.proto10 {
		b = append(b, "Connection: close\r\n"...)
	} else if keepAlive != "" && !w.closing {
		b = append(b, "Connection: keep-alive\r\n"...)
	}
	if _, dated := h["Date"]; !dated {
		b = append(b, "Date: "...)
		b = append(b, date()...)
		b = append(b, "\r\n"...)
	}
	*w.buf = append(b, "\r\n"...)
	if w.parked && !w.hasTrailer() {
		w.header, w.snapshot, w.early = nil, nil, nil
	}
}

func appendStatus(b []byte, proto10 bool, status int) []byte {
	if proto10 {
		b = append(b, "HTTP/1.0 "...)
	} else {
		b = append(b, "HTTP/1.1 "...)
	}
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, ' ')
	if text := http.StatusText(status); text != "" {
		b = append(b, text...)
	} else {
		b = append(b, "status code "...)
		b = strconv.AppendInt(b, int64(status), 10)
	}
	return append(b, "\r\n"...)
}

func appendFields(b []byte, h http.Header, without func(name string) bool) []byte {
	for name, values := range h {
		if !without(name) {
			b = appendField(b, name, values)
		}
	}
	return b
}

// appendField writes the lines of a field. A name that is none is left out, and
// line breaks in values become spaces: nothing else gets into an answer by them.
func appendField(b []byte, name string, values []string) []byte {
	if !isToken(name) {
		return b
	}
	for _, v := range values {
		b = append(b, name...)
		b = append(b, ": "...)
		v = strings.Trim(v, " \t\r\n")
		start := len(b)
		b = append(b, v...)
		for i, c := range b[start:] {
			if c == '\r' || c == '\n' {
				b[start+i] = ' '
			}
		}
		b = append(b, "\r\n"...)
	}
	return b
}

// declareTrailers notes fields that the handler sets later.
func (w *response) declareTrailers(list string) {
	for name := range strings.SplitSeq(list, ",") {
		name = http.CanonicalHeaderKey(strings.Trim(name, " \t"))
		switch name {
		case "", "Transfer-Encoding", "Content-Length", "Trailer":
		default:
			w.trailers = append(w.trailers, name)
		}
	}
}

// writeTrailer appends the last chunk and what follows it.
func (w *response) writeTrailer() {
	b := append(*w.buffer(), "0\r\n"...)
	for name, values := range w.header {
		if declared, ok := strings.CutPrefix(name, http.TrailerPrefix); ok {
			b = appendField(b, declared, values)
		} else if slices.Contains(w.trailers, name) {
			b = appendField(b, name, values)
		}
	}
	*w.buf = append(b, "\r\n"...)
}

// date returns the time of now for a header, which changes once in a second.
func date() string {
	second := time.Now().Unix()
	d := dated.Load()
	if d == nil || d.second != second {
		d = &clock{second, time.Unix(second, 0).UTC().Format(http.TimeFormat)}
		dated.Store(d)
	}
	return d.text
}

type clock struct {
	second int64
	text   string
}

var dated atomic.Pointer[clock]
