package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mochibosh/mochibosh/internal/park"
)

// A crowd is many clients of long-poll in this process. Each request goes to a node
// at random, as a balancer would send it; there are no sockets, only calls. Who is
// answered asks again, from another goroutine than that which answered.
type crowd struct {
	world   *world
	clients []client
	alone   *node // set: all requests go there
	again   chan *client
	phase   atomic.Pointer[phase]
	faults  atomic.Int64 // answers that were not the next ones
	retries atomic.Int64 // requests that had to be repeated
	polls   atomic.Int64 // answered without a message
}

type client struct {
	crowd   *crowd
	id, key string
	at      *node // where its poll is
	maker   *node
	attach  uint64
	last    uint64        // number of the last message
	refused int           // in a row: it comes again later each time, as ours does (web/client/backoff.js)
	arrived time.Duration // of it, since the phase began
}

// A phase is over when all that is expected has happened: that clients get a message,
// and that they ask again.
type phase struct {
	began    time.Time
	done     chan struct{}
	expected atomic.Int64
}

func (p *phase) happened() {
	if p.expected.Add(-1) == 0 {
		close(p.done)
	}
}

func newCrowd(w *world, n int) *crowd {
	c := &crowd{world: w, clients: make([]client, n), again: make(chan *client, 2*n+1)}
	for range 4 * runtime.GOMAXPROCS(0) { // a request waits where NATS is asked first
		go func() {
			for x := range c.again {
				x.poll()
				c.phase.Load().happened()
			}
		}()
	}
	return c
}

func (c *crowd) begin(expected int) *phase {
	p := &phase{began: time.Now(), done: make(chan struct{})}
	p.expected.Store(int64(expected))
	c.phase.Store(p)
	return p
}

func (c *crowd) wait(ctx context.Context, p *phase) error {
	progress := time.NewTicker(30 * time.Second)
	defer progress.Stop()
	for late := time.After(5 * time.Minute); ; {
		select {
		case <-p.done:
			if n := c.faults.Load(); n > 0 {
				return fmt.Errorf("%d answers were not the ones expected", n)
			}
			return nil
		case <-progress.C:
			fmt.Fprintf(os.Stderr, "%d messages or polls are missing, %d requests were repeated\n", p.expected.Load(), c.retries.Load())
		case <-late:
			return fmt.Errorf("%d messages or polls are missing for good", p.expected.Load())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// connect makes the sessions, each at the next node, with a subscription to the topic
// of its number, and has them ask.
func (c *crowd) connect(ctx context.Context, topic func(i int) string) error {
	p := c.begin(2 * len(c.clients)) // each gets "subscribed", and asks
	var all sync.WaitGroup
	var failed atomic.Pointer[error]
	parts := 4 * runtime.GOMAXPROCS(0)
	for part := range parts {
		all.Go(func() {
			for i := part; i < len(c.clients) && failed.Load() == nil; i += parts {
				x := &c.clients[i]
				x.crowd, x.maker = c, c.world.nodes[i%len(c.world.nodes)]
				if err := x.connect(topic(i)); err != nil {
					failed.Store(&err)
				}
				x.poll()
			}
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return c.wait(ctx, p)
}

// anywhere returns a node as a balancer would: one that is alive.
func (c *crowd) anywhere() *node {
	if c.alone != nil {
		return c.alone
	}
	for {
		if n := c.world.nodes[rand.IntN(len(c.world.nodes))]; !n.dead.Load() {
			return n
		}
	}
}

var (
	pollURL    = &url.URL{Path: "/push"}
	pollHeader = http.Header{"Content-Type": {"application/json"}}
)

func request(body []byte) *http.Request {
	return &http.Request{
		Method: http.MethodPost, URL: pollURL, Host: "push.test", Header: pollHeader, RemoteAddr: "192.0.2.1:80", RequestURI: "/push",
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}
}

func (x *client) connect(topic string) error {
	done := make(chan struct{})
	w := &answer{finished: func(*answer) { close(done) }}
	w.serve(x.maker, fmt.Appendf(nil, `{"messages":[{"op":"subscribe","topic":%q}]}`, topic))
	<-done
	x.id, x.key = member(w.body, `"session":"`), member(w.body, `"key":"`)
	if x.id == "" || x.key == "" {
		return fmt.Errorf("no session: %d %s", w.status, w.body)
	}
	return nil
}

// member returns what stands between a beginning and the next quotation mark.
func member(data []byte, begin string) string {
	_, rest, _ := bytes.Cut(data, []byte(begin))
	value, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(value)
}

// poll acknowledges the last message and asks for the next.
func (x *client) poll() {
	x.attach++
	x.at = x.crowd.anywhere()
	at := x.at
	w := &answer{finished: func(w *answer) {
		if !at.dead.Load() { // else nobody hears it
			x.answered(w)
		}
	}}
	w.serve(at, fmt.Appendf(nil, `{"session":%q,"key":%q,"attach":%d,"ack":%d}`, x.id, x.key, x.attach, x.last))
}

// answered takes the answer; it is called by whoever gives it.
func (x *client) answered(w *answer) {
	if x.crowd.world.over.Load() {
		return // else all would ask again who are refused now
	}
	p := x.crowd.phase.Load()
	if w.status != http.StatusOK {
		x.crowd.retries.Add(1)
		most := min(500*time.Millisecond<<min(x.refused, 10), 20*time.Second)
		x.refused++
		time.AfterFunc(most/2+rand.N(most/2), x.poll)
		return
	}
	x.refused = 0
	_, rest, _ := bytes.Cut(w.body, []byte(`"first":`))
	digits, _, _ := bytes.Cut(rest, []byte(","))
	first, _ := strconv.ParseUint(string(digits), 10, 64)
	messages := bytes.Count(rest, []byte(`"topic":`))
	if messages == 0 {
		x.crowd.polls.Add(1)
		go x.poll()
		return
	}
	if first != x.last+1 || messages != 1 {
		x.crowd.faults.Add(1)
	}
	x.last = first
	x.arrived = time.Since(p.began)
	x.crowd.again <- x
	p.happened()
}

// An answer is what a node says to a request. It is a park.Writer.
type answer struct {
	finished func(*answer)
	header   http.Header
	status   int
	body     []byte
	parked   atomic.Bool
}

func (w *answer) serve(n *node, body []byte) {
	n.handler.ServeHTTP(w, request(body))
	if !w.parked.Load() {
		w.Finish()
	}
}

// Header implements http.ResponseWriter.
func (w *answer) Header() http.Header {
	if w.header == nil {
		w.header = make(http.Header)
	}
	return w.header
}

// SetReadDeadline and SetWriteDeadline are for http.ResponseController.
func (w *answer) SetReadDeadline(time.Time) error  { return nil }
func (w *answer) SetWriteDeadline(time.Time) error { return nil }

// WriteHeader implements http.ResponseWriter.
func (w *answer) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

// Write implements http.ResponseWriter.
func (w *answer) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	w.body = append(w.body, p...)
	return len(p), nil
}

// Park implements park.Writer.
func (w *answer) Park(park.Events) {
	w.parked.Store(true)
	w.header = nil
}

// Unpark implements park.Writer.
func (w *answer) Unpark() { w.parked.Store(false) }

// Flush implements park.Writer.
func (w *answer) Flush() {}

// Drained implements park.Writer.
func (w *answer) Drained() bool { return true }

// Finish implements park.Writer: the client reads.
func (w *answer) Finish() {
	w.WriteHeader(http.StatusOK)
	w.finished(w)
}
