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
	// ErrSlow means that the body did not arrive in time.
	ErrSlow = errors.New("body took too long")
)

// Read reads the whole body of at most max bytes, within the time-out. The
// connection's read deadline is cleared then: a request may be held for longer
// than its body may take.
//
// Errors: ErrTooBig, ErrSlow, and those of a connection that broke. After any
// of them what follows on the connection cannot be told from the rest of the
// body: it is to be closed, and its deadline stays.
func Read(w http.ResponseWriter, r *http.Request, max int, timeout time.Duration) ([]byte, error) {
	return ReadInto(nil, w, r, max, timeout)
}

// ReadInto is Read that may use the room of buf, whatever is in it.
func ReadInto(buf []byte, w http.ResponseWriter, r *http.Request, max int, timeout time.Duration) ([]byte, error) {
	if r.ContentLength > int64(max) {
		return nil, tooBig(max)
	}
	if b, ok := r.Body.(arrived); ok && b.Arrived() {
		timeout = 0 // nothing is waited for
	}
	rc := http.NewResponseController(w)
	if r.ContentLength != 0 && timeout > 0 {
		// Writers that know no deadlines, as in tests, are read without.
		_ = rc.SetReadDeadline(time.Now().Add(timeout))
	}
	body, err := readAll(buf[:0], w, r, int64(max))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, tooBig(max)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, fmt.Errorf("%w: more than %v", ErrSlow, timeout)
	case err != nil:
		return nil, err
	}
	if r.ContentLength != 0 && timeout > 0 {
		_ = rc.SetReadDeadline(time.Time{})
	}
	return body, nil
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
