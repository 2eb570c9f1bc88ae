package transport

import (
	"context"
	"time"
)

// A Frame is one message of a stream: one JSON value for a push.v1 client,
// one XML element for an XMPP client. The core never looks inside.
type Frame struct {
	// Stream names the stream that the frame belongs to. From the client, an
	// empty name means every open stream of the session (XEP-0124 §16.4).
	Stream string
	// Data is immutable once handed over: a broadcast shares one slice among
	// all its receivers. An empty frame is legal.
	Data []byte
	// End, if set, closes the named stream and nothing else; it is the last
	// frame of that stream. The end of a session is in Response.End.
	End *Termination
}

// frameOverhead is what a queued frame costs besides its data; it is added to
// the byte budgets, so that a flood of empty frames has a limit too.
const frameOverhead = 64

func (f Frame) size() int { return len(f.Data) + frameOverhead }

// A Request is one numbered request of the client, as [Session.Exchange]
// takes it. Requests take effect in the order of their numbers.
type Request struct {
	// Seq is the request's number: BOSH's rid.
	Seq uint64
	// AckSeq says that the client has the answers to all requests up to and
	// including this one. Zero says nothing.
	AckSeq uint64
	// Frames are what the client sends, in order. The slice is kept.
	Frames []Frame
	// Wait limits how long the request is held. Zero stands for Params.Wait;
	// a negative value has it answered as soon as it is its turn.
	Wait time.Duration
	// Pause, if positive, answers every open request at once and lets the
	// client be silent for this long, once (XEP-0124 §10).
	Pause time.Duration
	// End ends the session after the request's frames were delivered.
	End bool
	// Open, if set, opens a stream before the request's frames are delivered.
	// The request is answered without frames. If the backend refuses, the
	// client gets that as the end of the stream.
	Open *Opening
	// Report, with AckSeq, answers the request at once if the answer after
	// AckSeq was given already, and names that in the response: it may be lost
	// (XEP-0124 §9.2).
	Report bool
	// Note is the adapter's own, for Params.Gate and Response.Note. It is kept
	// as long as the answer.
	Note any
}

// An Opening is a stream that a request opens, as [Session.Open] does. The
// context gives its values to the backend. A name that is taken is a stream
// too many.
type Opening struct {
	Context      context.Context
	Name, Target string
}

// A Gate judges what comes in and goes out of a session with numbered requests.
// It is called under the session's lock, so that what it remembers from one
// request to the next needs no other; it must not block, nor call the session.
type Gate interface {
	// Admit judges a request in its turn. What it returns ends the session, and
	// the request has no effect.
	Admit(Turn) *Termination
	// Apart reports whether a frame must not be in one response with the one
	// right before it, of the same stream.
	Apart(before, frame []byte) bool
}

// A Turn is a numbered request that takes its turn, after all before it, or a
// copy of one that came before, as a [Gate] judges it.
type Turn struct {
	// Seq and Note are those of the request.
	Seq  uint64
	Note any
	// Copies is how many copies of the request came before this one; zero: it
	// is the first. Original is the note of the first, whose turn may still be
	// to come.
	Copies   int
	Original any
	// Waiting is how many requests will wait for an answer together with this
	// one, once those above Params.Hold are answered.
	Waiting int
	// Idle says that the request before this one was answered without frames.
	Idle bool
	// Streams is how many streams are open.
	Streams int
	// Over says that the session has ended: the request is only to fetch what
	// is left. What the gate returns refuses it that.
	Over bool
}

// A Pull asks for the frames after a cursor, as [Session.Pull] takes it. Of
// several open pulls the newest wins; the older one is told Replaced.
type Pull struct {
	// Attach orders the connections of a session: a pull with a lower number
	// than one seen before is an old copy, and is told Replaced without any
	// effect. Zero makes it the newest by arrival.
	Attach uint64
	// After is the cursor: the frames above this number are asked for. The
	// client has, and so acknowledges, all up to it, unless Again is set.
	After uint64
	// Wait limits how long the pull is held. Zero or less: it is answered at
	// once.
	Wait time.Duration
	// Again says that this connection is attached (Session.Attach, or an
	// earlier pull) and has written what it got: those frames are read no
	// more. The client may not have them yet; Session.Ack says when.
	Again bool
}

// A Response answers a [Request] or a [Pull].
type Response struct {
	// Seq is the number of the request answered; zero for a pull.
	Seq uint64
	// First is the number of Frames[0]; without frames, of the next to come.
	First uint64
	// Frames belong to the session: they may be read, never modified, and no
	// longer than until the carrier's next pull with Pull.Again.
	Frames []Frame
	// Ack is the highest request accepted without a gap.
	Ack uint64
	// Note is that of the first copy of the request.
	Note any
	// Report is the number of an answer that the client seems to miss, given
	// this long before its request: see Request.Report. Zero: none.
	Report   uint64
	Reported time.Duration
	// Replaced says that another connection took this one's place: it is
	// owed nothing and should not come back.
	Replaced bool
	// Later, if positive, says that nobody can answer for now: the client is to
	// come back with the same request after so long. Nothing else counts then.
	Later time.Duration
	// End says that the session is over; nothing follows.
	End *Termination
}

// Last returns the number of the last frame, or First-1 if there is none.
func (r Response) Last() uint64 { return r.First + uint64(len(r.Frames)) - 1 }
