package push_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mochibosh/mochibosh/internal/pushtest"
	"github.com/mochibosh/mochibosh/transport"
)

// A session under load, in both directions, makes all six moves among the
// carriers, several times. Every message arrives once and in order, and the
// client is never without messages for longer than they are apart.
func TestMovingAmongCarriers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const apart = time.Millisecond
		backend := counting{t: t, apart: apart, done: make(chan int, 1)}
		s := pushtest.Start(t, pushtest.Options{Backend: transport.Serve(backend.serve)}).Create()
		c := &mover{t: t, session: s, last: time.Now()}
		for range 3 {
			for _, open := range []func() feed{c.longpoll, c.events, c.socket, c.longpoll, c.socket, c.events} {
				c.moveTo(open())
				c.receive(100)
			}
		}
		if c.longest > 2*apart {
			t.Errorf("nothing arrived for %v", c.longest)
		}
		s.Post(`"end":true`)
		if got := <-backend.done; c.sent == 0 || got != c.sent {
			t.Errorf("%d messages sent, %d arrived", c.sent, got)
		}
		c.feed.close()
	})
}

// counting is a backend that sends 1, 2, 3 … and expects the same.
type counting struct {
	t     *testing.T
	apart time.Duration
	done  chan int // how many came
}

func (b counting) serve(ctx context.Context, st *transport.Stream, in <-chan []byte) error {
	tick := time.NewTicker(b.apart)
	defer tick.Stop()
	for n, got := 1, 0; ; {
		select {
		case p, ok := <-in:
			if !ok {
				b.done <- got
				return nil
			}
			if got++; string(p) != strconv.Itoa(got) {
				b.t.Errorf("the backend got %s as number %d", p, got)
			}
		case <-tick.C:
			if st.Send(ctx, strconv.AppendInt(nil, int64(n), 10)) == nil {
				n++
			}
		}
	}
}

// mover is a client on one carrier after the other.
type mover struct {
	t       *testing.T
	session pushtest.Session
	feed    feed
	attach  int
	got     uint64 // messages of the server
	sent    int    // messages of ours, all acknowledged
	last    time.Time
	longest time.Duration
}

// feed is a connection that messages come from.
type feed interface {
	next() (pushtest.Object, error)
	close()
}

// members are those of a new connection.
func (c *mover) members() string {
	c.attach++
	return fmt.Sprintf(`"attach":%d,"ack":%d`, c.attach, c.got)
}

// moveTo goes on with a new connection, while the old one is still open, and
// closes that only then.
func (c *mover) moveTo(next feed) {
	old := c.feed
	c.feed = next
	c.receive(1)
	if old != nil {
		old.close()
	}
}

// receive takes messages, and answers every other with one of ours, which it
// sends twice: a repeat does no harm.
func (c *mover) receive(n int) {
	for end := c.got + uint64(n); c.got < end; {
		o, err := c.feed.next()
		if err != nil {
			c.t.Fatal(err)
		}
		for i, m := range o.Messages {
			number := o.First + uint64(i)
			if number <= c.got {
				continue // sent again on the new carrier
			}
			if c.got++; number != c.got || string(m) != strconv.FormatUint(number, 10) {
				c.t.Fatalf("got %s with number %d after %d", m, number, c.got-1)
			}
			c.longest = max(c.longest, time.Since(c.last))
			c.last = time.Now()
			if c.got%2 == 0 {
				c.send()
				c.send()
				c.sent++
			}
		}
	}
}

func (c *mover) send() {
	message := fmt.Sprintf(`"ack":%d,"first":%d,"messages":[%d]`, c.got, c.sent+1, c.sent+1)
	if ws, ok := c.feed.(*socketFeed); ok {
		ws.Send("{" + message + "}")
		return
	}
	c.session.Post(message)
}

// ---- the carriers

type pollFeed struct{ c *mover }

func (c *mover) longpoll() feed { return pollFeed{c} }

func (f pollFeed) next() (pushtest.Object, error) { return f.c.session.Post(f.c.members()), nil }
func (f pollFeed) close()                         {}

type eventFeed struct {
	*pushtest.Events
	counter
}

func (c *mover) events() feed { return &eventFeed{Events: c.session.Events(c.members())} }

func (f *eventFeed) next() (pushtest.Object, error) {
	_, o, err := f.Next()
	return f.number(o), err
}
func (f *eventFeed) close() { f.Close() }

type socketFeed struct {
	*pushtest.Socket
	counter
	objects chan pushtest.Object
}

// socket reads all the time: the network in memory buffers nothing, and the
// server is to write while we do.
func (c *mover) socket() feed {
	f := &socketFeed{Socket: c.session.WebSocket(c.members()), objects: make(chan pushtest.Object, 1000)}
	go func() {
		defer close(f.objects)
		for {
			o, err := f.Next()
			if err != nil {
				return
			}
			f.objects <- f.number(o)
		}
	}()
	return f
}

func (f *socketFeed) next() (pushtest.Object, error) {
	o, ok := <-f.objects
	if !ok {
		return o, fmt.Errorf("the socket is closed")
	}
	return o, nil
}
func (f *socketFeed) close() { f.Socket.Close() }

// counter numbers the messages after the first object.
type counter struct{ next uint64 }

func (c *counter) number(o pushtest.Object) pushtest.Object {
	if o.First == 0 {
		o.First = c.next
	}
	c.next = o.First + uint64(len(o.Messages))
	return o
}
