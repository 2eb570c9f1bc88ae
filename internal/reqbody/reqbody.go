// Package reqbody reads request bodies within a size and a time.
package reqbody

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"time"
)

var (
	// ErrTooBig means that the body is larger than the limit.
	ErrTooBig = errors.New("body too large")
	// ErrSlow means that the body did not arrive in time, or fast enough.
	ErrSlow = errors.New("body took too long")
)

// Limits are those of a body.
type Limits struct {
	Max     int           // bytes
	Timeout time.Duration // for all of it
	Rate    int           // bytes a second, after a grace of ten seconds; zero or less: none
}

// grace is how long a body may take before its rate counts.
const grace = 10 * time.Second

// Read reads the whole body within the limits. The connection's read deadline
// is cleared then: a request may be held for longer than its body may take.
//
// Errors: ErrTooBig, ErrSlow, and those of a connection that broke. After any
// of them what follows on the connection cannot be told from the rest of the
// body: it is to be closed, and its deadline stays.
func Read(w http.ResponseWriter, r *http.Request, l Limits) ([]byte, error) {
	return ReadInto(nil, w, r, l)
}

// ReadInto is Read that may use the room of buf, whatever is in it.
func ReadInto(buf []byte, w http.ResponseWriter, r *http.Request, l Limits) ([]byte, error) {
	if r.ContentLength > int64(l.Max) {
		return nil, tooBig(l.Max)
	}
	if b, ok := r.Body.(arrived); ok && b.Arrived() || r.ContentLength == 0 || l.Timeout <= 0 {
		return l.read(buf[:0], w, r) // nothing is waited for
	}
	// Writers that know no deadlines, as in tests, are read without.
	rc := http.NewResponseController(w)
	r.Body = &paced{ReadCloser: r.Body, deadline: rc.SetReadDeadline, limits: l, start: time.Now()}
	body, err := l.read(buf[:0], w, r)
	if err == nil {
		_ = rc.SetReadDeadline(time.Time{})
	}
	return body, err
}

func (l Limits) read(buf []byte, w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := readAll(buf, w, r, int64(l.Max))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, tooBig(l.Max)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, fmt.Errorf("%w: more than %v, or less than %d bytes a second", ErrSlow, l.Timeout, max(0, l.Rate))
	case err != nil:
		return nil, err
	}
	return body, nil
}

// A paced body has to arrive fast enough.
type paced struct {
	io.ReadCloser
	deadline func(time.Time) error
	limits   Limits
	start    time.Time
	got      int64
}

// Read implements io.Reader.
func (p *paced) Read(b []byte) (int, error) {
	_ = p.deadline(p.start.Add(p.patience()))
	n, err := p.ReadCloser.Read(b)
	p.got += int64(n)
	return n, err
}

// patience is how long, from the start, what comes next may take.
func (p *paced) patience() time.Duration {
	if p.limits.Rate <= 0 {
		return p.limits.Timeout
	}
	return min(p.limits.Timeout, grace+time.Duration(p.got*int64(time.Second)/int64(p.limits.Rate)))
}

// A body that is arrived knows whether all of it is there.
type arrived interface{ Arrived() bool }

func tooBig(max int) error { return fmt.Errorf("%w: more than %d bytes", ErrTooBig, max) }

// trusted is up to which length a client's word is taken for an allocation:
// more is allocated as it arrives, else a header line would cost us a buffer.
const trusted = 8 << 10

func readAll(buf []byte, w http.ResponseWriter, r *http.Request, max int64) ([]byte, error) {
	n := r.ContentLength
	if n < 0 || n > trusted {
		return io.ReadAll(http.MaxBytesReader(w, r.Body, max))
	}
	body := slices.Grow(buf, int(n))[:n]
	_, err := io.ReadFull(r.Body, body)
	return body, err
}
