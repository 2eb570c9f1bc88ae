//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/mochibosh/mochibosh/internal/park"
	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/transport/longpoll"
	"github.com/mochibosh/mochibosh/transport/push"
)

// carriers are what a fleet can be made of, by their names.
var carriers = map[string]func(*transport.Manager, *push.Options) carrier{
	"core":      func(*transport.Manager, *push.Options) carrier { return core },
	"long-poll": longPoll,
}

// core asks the session itself: no HTTP, no JSON.
func core(s *subscriber, session *transport.Session) func() {
	got := func(r transport.Response) { s.answered(r.First, len(r.Frames)) }
	return func() {
		s.attach++
		if _, err := session.PullFunc(transport.Pull{Attach: s.attach, After: s.last, Wait: hold}, got); err != nil {
			s.fleet.faults.Add(1)
		}
	}
}

// longPoll calls the handler of long-poll, with requests and answers that are
// in memory: everything but the server's reading and writing of HTTP.
func longPoll(m *transport.Manager, o *push.Options) carrier {
	handler := longpoll.NewHandler(m, o)
	return func(s *subscriber, session *transport.Session) func() {
		p := &poll{subscriber: s, handler: handler, id: session.ID(), key: session.Params().Secret}
		return p.ask
	}
}

type poll struct {
	*subscriber
	handler http.Handler
	id, key string
}

var (
	pollURL    = &url.URL{Path: "/push"}
	pollHeader = http.Header{"Content-Type": {"application/json"}}
)

func (p *poll) ask() {
	p.attach++
	body := fmt.Appendf(nil, `{"session":%q,"key":%q,"attach":%d,"ack":%d}`, p.id, p.key, p.attach, p.last)
	r := &http.Request{
		Method: http.MethodPost, URL: pollURL, Host: "push.test", Header: pollHeader, RemoteAddr: "192.0.2.1:80",
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}
	w := &answerWriter{poll: p}
	p.handler.ServeHTTP(w, r)
	if !w.parked {
		p.fleet.faults.Add(1)
	}
}

// An answerWriter takes the answer to one poll.
type answerWriter struct {
	poll   *poll
	header http.Header
	body   []byte
	parked bool // the handler's
}

// headers are used again, as by a server.
var headers = sync.Pool{New: func() any { return make(http.Header) }}

// Header implements http.ResponseWriter.
func (w *answerWriter) Header() http.Header {
	if w.header == nil {
		w.header = headers.Get().(http.Header)
	}
	return w.header
}

func (w *answerWriter) sent() {
	if w.header != nil {
		clear(w.header)
		headers.Put(w.header)
		w.header = nil
	}
}

// SetReadDeadline and SetWriteDeadline are for http.ResponseController.
func (w *answerWriter) SetReadDeadline(time.Time) error  { return nil }
func (w *answerWriter) SetWriteDeadline(time.Time) error { return nil }

// WriteHeader implements http.ResponseWriter.
func (w *answerWriter) WriteHeader(int) {}

// Write implements http.ResponseWriter.
func (w *answerWriter) Write(p []byte) (int, error) {
	w.body = append(w.body, p...)
	return len(p), nil
}

// Park implements park.Writer.
func (w *answerWriter) Park(park.Events) {
	w.sent()
	w.parked = true
}

// Unpark implements park.Writer.
func (w *answerWriter) Unpark() { w.parked = false }

// Flush implements park.Writer.
func (w *answerWriter) Flush() {}

// Drained implements park.Writer.
func (w *answerWriter) Drained() bool { return true }

// Finish implements park.Writer: the client reads.
func (w *answerWriter) Finish() {
	_, rest, _ := bytes.Cut(w.body, []byte(`"first":`))
	digits, _, _ := bytes.Cut(rest, []byte(","))
	first, _ := strconv.ParseUint(string(digits), 10, 64)
	w.sent()
	w.poll.answered(first, bytes.Count(rest, []byte(`"topic":`)))
}
