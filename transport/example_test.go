package transport_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/mochibosh/mochibosh/transport"
)

// A Room passes on to everybody what anybody says.
type Room struct {
	mu      sync.Mutex
	members map[*transport.Stream]bool
}

func (r *Room) Open(_ context.Context, st *transport.Stream) (transport.Receiver, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.members[st] = true
	return member{r, st}, nil
}

type member struct {
	room *Room
	st   *transport.Stream
}

func (m member) Receive(p []byte) error {
	m.room.mu.Lock()
	defer m.room.mu.Unlock()
	for st := range m.room.members {
		st.TrySend(p) // a member whose outbox is full misses it
	}
	return nil
}

func (m member) Close(error) {
	m.room.mu.Lock()
	defer m.room.mu.Unlock()
	delete(m.room.members, m.st)
}

// The callback style: a backend is told what its clients send. An idle client
// costs no goroutine.
func Example() {
	ctx := context.Background()
	m := transport.NewManager(&transport.Options{Backend: &Room{members: map[*transport.Stream]bool{}}})

	// Carriers do this: they make sessions, push what clients send, and pull
	// what clients are owed.
	alice, bob := join(ctx, m), join(ctx, m)
	alice.Push(ctx, 1, []transport.Frame{{Data: []byte("hello, room")}})
	for _, s := range []*transport.Session{alice, bob} {
		r, _ := s.Pull(ctx, transport.Pull{Wait: time.Minute})
		fmt.Printf("%d: %s\n", r.First, r.Frames[0].Data)
	}
	fmt.Println(m.Shutdown(ctx), alice.Err())

	// Output:
	// 1: hello, room
	// 1: hello, room
	// <nil> transport: ended: shutdown: the server is going down
}

func join(ctx context.Context, m *transport.Manager) *transport.Session {
	s, err := m.Create(ctx, transport.Params{Wait: time.Minute, Hold: 1})
	if err != nil {
		panic(err)
	}
	if _, err := s.Open(ctx, "", ""); err != nil {
		panic(err)
	}
	return s
}

// The blocking style: one function handles a stream from start to end. It
// reads as handlers of net.Conn do, and costs a goroutine for each stream.
func ExampleServe() {
	shout := transport.Serve(func(ctx context.Context, st *transport.Stream, in <-chan []byte) error {
		for p := range in {
			if err := st.Send(ctx, bytes.ToUpper(p)); err != nil {
				return err
			}
		}
		return nil
	})

	ctx := context.Background()
	m := transport.NewManager(&transport.Options{Backend: shout})
	s := join(ctx, m)
	s.Push(ctx, 1, []transport.Frame{{Data: []byte("hello")}})
	r, _ := s.Pull(ctx, transport.Pull{Wait: time.Minute})
	fmt.Printf("%s\n", r.Frames[0].Data)
	m.Shutdown(ctx)

	// Output: HELLO
}

// One session has several streams, each to a backend of its own. A client
// needs one connection for all of them.
func ExampleSession_Open() {
	says := func(what string) transport.Backend {
		return transport.Serve(func(ctx context.Context, st *transport.Stream, in <-chan []byte) error {
			for p := range in {
				st.Send(ctx, fmt.Appendf(nil, "%s: %s", what, p))
			}
			return nil
		})
	}
	ctx := context.Background()
	m := transport.NewManager(&transport.Options{Backend: transport.Mux{"chat": says("chat"), "news": says("news")}})
	s, _ := m.Create(ctx, transport.Params{Wait: time.Minute, Hold: 1})
	s.Open(ctx, "one", "chat")
	s.Open(ctx, "two", "news")
	_, err := s.Open(ctx, "three", "weather")
	fmt.Println(err)
	for n, stream := range []string{"one", "two"} {
		s.Push(ctx, 0, []transport.Frame{{Stream: stream, Data: []byte("hi")}})
		r, _ := s.Pull(ctx, transport.Pull{After: uint64(n), Wait: time.Minute})
		fmt.Printf("stream %s, %s\n", r.Frames[0].Stream, r.Frames[0].Data)
	}
	m.Shutdown(ctx)

	// Output:
	// transport: ended: host-unknown: nothing here is called "weather"
	// stream one, chat: hi
	// stream two, news: hi
}

// A request with a number is held until there is an answer; a copy of it, for
// an answer that was lost, gets the same again. This is all that BOSH needs.
func ExampleSession_Exchange() {
	ctx := context.Background()
	m := transport.NewManager(&transport.Options{Backend: &Room{members: map[*transport.Stream]bool{}}})
	s := join(ctx, m)
	request := transport.Request{Seq: 1, Frames: []transport.Frame{{Data: []byte("hello")}}}
	for range 2 {
		r, _ := s.Exchange(ctx, request)
		fmt.Printf("answer to %d: %d frame, %s\n", r.Seq, len(r.Frames), r.Frames[0].Data)
	}
	m.Shutdown(ctx)

	// Output:
	// answer to 1: 1 frame, hello
	// answer to 1: 1 frame, hello
}

// A backend learns that a client has got something, and not only that it was
// written to it.
func ExampleStream_TrySendFunc() {
	ctx := context.Background()
	m := transport.NewManager(&transport.Options{Backend: &Room{members: map[*transport.Stream]bool{}}})
	s, _ := m.Create(ctx, transport.Params{Wait: time.Minute})
	st, _ := s.Open(ctx, "", "")
	for _, text := range []string{"one", "two"} {
		st.TrySendFunc([]byte(text), func(err error) { fmt.Printf("%s: %v\n", text, err) })
	}

	s.Pull(ctx, transport.Pull{}) // it may be lost on its way
	fmt.Println("written")
	s.Ack(1)
	s.Terminate(&transport.Termination{Condition: transport.Inactive})
	m.Shutdown(ctx)

	// Output:
	// written
	// one: <nil>
	// two: transport: ended: inactive
}
