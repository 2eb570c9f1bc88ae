package xmpp

import "time"

// Trace is told what happens; nil fields are skipped. The functions are
// called without locks, concurrently, and must not block.
type Trace struct {
	// Opened is called when a stream to a server is open: its features are
	// there, so long after the client asked for it.
	Opened func(domain string, took time.Duration)
	// Closed is called when such a stream is over.
	Closed func(domain string)
	// Fault is called for every try to open a stream that failed, and for every
	// open one that broke.
	Fault func(*Error)
	// ServerError is called when a server ends a stream with an error, by its
	// condition (RFC 6120 §4.9.3). One that is not in the RFC is told as
	// undefined-condition.
	ServerError func(domain, condition string)
}

func (t *Trace) opened(domain string, took time.Duration) {
	if t.Opened != nil {
		t.Opened(domain, took)
	}
}

func (t *Trace) closed(domain string) {
	if t.Closed != nil {
		t.Closed(domain)
	}
}

func (t *Trace) fault(err *Error) {
	if t.Fault != nil {
		t.Fault(err)
	}
}

func (t *Trace) serverError(domain string, err *serverError) {
	if t.ServerError != nil {
		t.ServerError(domain, err.condition)
	}
}
