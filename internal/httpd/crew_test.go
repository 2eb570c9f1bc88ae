//go:build linux

package httpd

import (
	"net"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A shift is a crew without a poller: whoever leads waits for the test's word.
type shift struct {
	*crew
	todo chan []task

	mu   sync.Mutex
	done []string
}

// onShift has f try a crew, in a bubble.
func onShift(f func(*testing.T, *shift)) func(*testing.T) {
	return func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := &shift{todo: make(chan []task)}
			s.crew = newCrew(func(m *mate) {
				for tasks := range s.todo {
					if !m.do(tasks...) {
						return
					}
				}
			})
			f(t, s)
			close(s.todo)
		})
	}
}

// found is what a poller does.
func (s *shift) found(tasks ...task) { s.todo <- tasks }

func (s *shift) task(name string, f func(*conn)) task {
	c := &conn{}
	return task{c, func() {
		f(c)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.done = append(s.done, name)
	}}
}

func (s *shift) want(t *testing.T, what string, names ...string) {
	t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.done, names) {
		t.Errorf("%s: done are %q, want %q", what, s.done, names)
	}
}

func (s *shift) wantMates(t *testing.T, what string, n int) {
	t.Helper()
	s.crew.mu.Lock()
	defer s.crew.mu.Unlock()
	if len(s.mates) != n {
		t.Errorf("%s: %d in the crew, want %d", what, len(s.mates), n)
	}
}

func TestCrew(t *testing.T) {
	at := func(*conn) {}
	long := func(*conn) { time.Sleep(time.Minute) }

	t.Run("tasks are done in their order", onShift(func(t *testing.T, s *shift) {
		s.found(s.task("a", at), s.task("b", at), s.task("c", at))
		s.want(t, "all", "a", "b", "c")
		s.wantMates(t, "afterwards", 1)
	}))
	t.Run("who is at a task for long is relieved", onShift(func(t *testing.T, s *shift) {
		s.found(s.task("long", long), s.task("short", at))
		s.want(t, "at first")
		time.Sleep(2 * guardInterval)
		s.want(t, "after two looks of the guard", "short")
		s.found(s.task("later", at))
		s.want(t, "by the new lead", "short", "later")
		s.wantMates(t, "without the relieved", 1)
		time.Sleep(time.Minute)
		s.want(t, "at last", "short", "later", "long")
		s.wantMates(t, "afterwards", 1)
	}))
	t.Run("who says that it waits is relieved at once", onShift(func(t *testing.T, s *shift) {
		waits := func(c *conn) {
			s.waits(c)
			s.waits(c) // makes no difference
			time.Sleep(time.Minute)
		}
		s.found(s.task("long", waits), s.task("short", at))
		s.want(t, "at once", "short")
		s.wantMates(t, "without the relieved", 1)
		time.Sleep(time.Minute)
		s.want(t, "at last", "short", "long")
	}))
	t.Run("others who wait relieve nobody", onShift(func(t *testing.T, s *shift) {
		s.found(s.task("a", func(*conn) { s.waits(&conn{}) }))
		s.want(t, "done", "a")
		s.wantMates(t, "afterwards", 1)
	}))
	t.Run("a task that ends its goroutine ends nothing else", onShift(func(t *testing.T, s *shift) {
		s.found(s.task("never", func(*conn) { runtime.Goexit() }), s.task("after", at))
		s.want(t, "by another", "after")
		s.found(s.task("later", at))
		s.want(t, "by the new lead", "after", "later")
	}))
	t.Run("the guard rests while there is nothing to do", onShift(func(t *testing.T, s *shift) {
		guarded := func() bool {
			s.crew.mu.Lock()
			defer s.crew.mu.Unlock()
			return s.guarded
		}
		s.found(s.task("a", at))
		if synctest.Wait(); !guarded() {
			t.Error("nobody watches")
		}
		time.Sleep(3 * guardInterval)
		if synctest.Wait(); guarded() {
			t.Error("it goes on")
		}
	}))
	t.Run("many tasks at once are shared", onShift(func(t *testing.T, s *shift) {
		if runtime.GOMAXPROCS(0) < 2 {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
		}
		// The second can only end while the first is under way.
		met := make(chan bool)
		meet := func(*conn) {
			select {
			case met <- true:
			case <-met:
			case <-time.After(guardInterval / 2):
				t.Error("nobody else is at work")
			}
		}
		tasks := []task{s.task("first", meet), s.task("second", meet)}
		for range 2 * enoughToShare {
			tasks = append(tasks, s.task("more", at))
		}
		s.found(tasks...)
		synctest.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.done) != len(tasks) {
			t.Errorf("%d done, want %d", len(s.done), len(tasks))
		}
	}))
}

func TestWhoWaitsForItsContextIsRelieved(t *testing.T) {
	server := &Server{}
	atIt := func() bool {
		c := server.poller.crew
		c.mu.Lock()
		defer c.mu.Unlock()
		return slices.ContainsFunc(c.mates, func(m *mate) bool { return m.conn != nil })
	}
	seen := make(chan [2]bool, 1)
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		before := atIt()
		r.Context().Done()
		seen <- [2]bool{before, atIt()}
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(ln)
	defer server.Close()
	resp, err := http.Get("http://" + ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := <-seen; got != [2]bool{true, false} {
		t.Errorf("somebody of the crew is at the request before and after it asked for Done: %v", got)
	}
}
