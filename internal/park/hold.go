package park

import (
	"context"
	"net/http"

	"github.com/mochibosh/mochibosh/internal/pipelined"
)

// A Pending is what a request waits for.
type Pending interface {
	// Stop takes the request off it, and reports whether that came in time.
	Stop() bool
	// Hurry has the answer come as soon as possible.
	Hurry()
}

// Hold holds a request. It calls ask, which calls f once with what there is to
// answer, now or later and from any goroutine; then answer writes that. Where w
// is a Writer, the handler is to return at once, and w and r are not to be used
// any more but by answer, which had better not keep r, since it is most of what
// a held request would cost. Else Hold waits.
//
// More may follow on the connection before the answer. It is let go then, for
// what it keeps from being read may be just what would free it (RFC 9112
// §9.3.2).
//
// Errors: those of ask, and that of the request's context, if the client goes
// away while Hold waits. Then there will be no answer.
func Hold[P Pending, R any](w http.ResponseWriter, r *http.Request, ask func(f func(R)) (P, error), answer func(R)) error {
	if pw, ok := w.(Writer); ok {
		return leave(pw, ask, answer)
	}
	answered := make(chan R, 1)
	pending, err := ask(func(resp R) { answered <- resp })
	if err != nil {
		return err
	}
	select {
	case resp := <-answered:
		answer(resp)
		return nil
	default:
	}
	defer pipelined.Watch(r, pending.Hurry)()
	select {
	case resp := <-answered:
		answer(resp)
	case <-r.Context().Done():
		if pending.Stop() {
			return context.Cause(r.Context())
		}
		answer(<-answered)
	}
	return nil
}

func leave[P Pending, R any](w Writer, ask func(f func(R)) (P, error), answer func(R)) error {
	var pending P
	w.Park(Events{
		Gone:   func() { pending.Stop() },
		Behind: func() { pending.Hurry() },
	})
	pending, err := ask(func(resp R) {
		answer(resp)
		w.Finish()
	})
	if err != nil {
		w.Unpark()
	}
	return err
}
