package bosh_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mochibosh/mochibosh/bosh"
)

// lossy is a client as the XEP wants it, on a network that loses, delays,
// doubles and reorders requests and answers. One goroutine runs it; those that
// carry requests tell it by events.
type lossy struct {
	*client
	rng     *rand.Rand
	window  int
	acks    bool
	next    int // number of the next request to be made
	done    int // all up to it were answered, and the answers processed
	open    map[int]*lossyRequest
	flying  map[int]int // copies on the way, by number
	answers map[int]string
	clean   map[int]time.Duration // when answered: requests that the network did nothing to
	events  chan lossyEvent
	sent    int      // payloads, numbered from 1
	got     []string // payloads
}

type lossyRequest struct {
	xml    string
	answer *answer
	spoilt bool
}

type lossyEvent struct {
	n      int
	answer *answer // as the network delivered it; nil: lost
	actual *answer // nil: there was none
}

// transmit sends a copy of a request on its way.
func (l *lossy) transmit(n int) {
	chance := func(percent int) bool { return l.rng.IntN(100) < percent }
	some := func(most time.Duration) time.Duration { return time.Duration(l.rng.Int64N(int64(most))) }
	var before, after, cut time.Duration
	if chance(30) {
		before = some(3 * time.Second)
	}
	if chance(20) {
		after = some(2 * time.Second)
	}
	if chance(20) {
		cut = some(12 * time.Second)
	}
	neverSent, answerLost := chance(10), chance(15)
	r := l.open[n]
	if before > 0 || cut > 0 || neverSent || answerLost || l.flying[n] > 0 {
		r.spoilt = true
	}
	l.flying[n]++
	xml := r.xml
	go func() {
		time.Sleep(before)
		if neverSent {
			l.events <- lossyEvent{n: n}
			return
		}
		ctx, cancel := l.t.Context(), context.CancelFunc(func() {})
		if cut > 0 {
			ctx, cancel = context.WithTimeout(ctx, cut)
		}
		defer cancel()
		e := lossyEvent{n: n}
		if a := l.do(l.request(ctx, xml)); a.err == nil {
			e.actual = a
			if !answerLost {
				e.answer = a
			}
		}
		time.Sleep(after + time.Millisecond)
		l.events <- e
	}()
	if l.flying[n] == 1 && chance(15) {
		l.transmit(n) // twice
	}
}

// quiet returns the highest number up to which no copy is on the way.
func (l *lossy) quiet() int {
	for n := 0; n < l.next; n++ {
		if l.flying[n] > 0 {
			return n - 1
		}
	}
	return l.next - 1
}

// send makes requests while the window allows and there is a reason. The
// network must not deliver a copy of what the new request gives up.
func (l *lossy) send(payloads int) {
	for l.next <= l.done+l.window && (l.sent < payloads || len(l.open) == 0) {
		attrs := ""
		quiet := l.quiet()
		switch {
		case l.acks && min(quiet, l.done) < l.next-1:
			attrs = fmt.Sprintf("ack='%d'", first+max(0, min(quiet, l.done)))
		case !l.acks && quiet < l.next-l.window-1:
			return
		}
		if l.rng.IntN(20) == 0 {
			attrs += " pause='30'"
		}
		var b strings.Builder
		for range l.rng.IntN(4) {
			if l.sent < payloads {
				l.sent++
				b.WriteString(payload(l.sent))
			}
		}
		l.open[l.next] = &lossyRequest{xml: l.at(l.next, attrs, b.String())}
		l.next++
		l.transmit(l.next - 1)
	}
}

func (l *lossy) event(e lossyEvent) {
	l.flying[e.n]--
	if a := e.actual; a != nil && a.attrs["type"] != "error" {
		if xml, ok := l.answers[e.n]; ok && xml != a.xml {
			l.t.Errorf("request %d: answered %q, then %q", e.n, xml, a.xml)
		}
		l.answers[e.n] = a.xml
		if a.condition() != "" && a.condition() != "end" {
			l.t.Fatalf("request %d: %q", e.n, a.xml)
		}
	}
	r := l.open[e.n]
	if r == nil {
		return
	}
	if a := e.answer; a != nil && a.attrs["type"] != "error" && r.answer == nil {
		r.answer = a
		if !r.spoilt {
			l.clean[e.n] = a.after
		}
	}
	for r := l.open[l.done+1]; r != nil && r.answer != nil; r = l.open[l.done+1] {
		l.got = append(l.got, r.answer.payloads...)
		l.done++
		delete(l.open, l.done)
	}
	if r := l.open[e.n]; r != nil && r.answer == nil && l.flying[e.n] == 0 {
		l.transmit(e.n)
	}
}

func TestLossyNetwork(t *testing.T) {
	t.Attr("requirements", "B-02.3 B-08.3 B-08.8 B-08.14 B-14.10 B-17.5 B-22.2 T-06")
	const seeds, payloads = 25, 60
	modes := []struct{ name, attrs string }{
		{"hold 1", "wait='10' hold='1'"},
		{"hold 2", "wait='10' hold='2'"},
		{"a wide window", "wait='10' hold='3'"},
		{"acknowledgements", "wait='10' hold='1' ack='1'"},
		{"a wide window, acknowledgements", "wait='10' hold='3' ack='1'"},
		{"polling", "wait='0' hold='1'"},
	}
	for _, mode := range modes {
		for seed := range uint64(seeds) {
			t.Run(fmt.Sprintf("%s/%d", mode.name, seed), bubble(func(t *testing.T) {
				w := newWorld(t, settings{bosh: bosh.Options{Hold: 2}})
				c := w.create(mode.attrs)
				l := &lossy{
					client: c, rng: rand.New(rand.NewPCG(seed, 1)), acks: strings.Contains(mode.attrs, "ack"),
					next: 1, open: make(map[int]*lossyRequest), flying: make(map[int]int), answers: make(map[int]string),
					clean: make(map[int]time.Duration), events: make(chan lossyEvent, 100),
				}
				fmt.Sscan(c.created.attrs["requests"], &l.window)
				l.run(payloads)
			}))
		}
	}
}

func (l *lossy) run(payloads int) {
	st := l.backend.stream()
	rng := rand.New(rand.NewPCG(l.rng.Uint64(), 2))
	go func() { // the backend
		for n := 1; n <= payloads; {
			for range 1 + rng.IntN(3) {
				st.TrySend([]byte(payload(1000 + n)))
				n++
			}
			time.Sleep(time.Duration(rng.Int64N(int64(6 * time.Second))))
		}
		st.TrySend([]byte(payload(9999)))
	}()
	last := payload(9999)
	for len(l.got) == 0 || l.got[len(l.got)-1] != last || l.sent < payloads || len(l.open) > 0 {
		if time.Since(l.start) > time.Hour {
			l.t.Fatalf("stuck: request %d done, %d payloads here, %d there", l.done, len(l.got), l.sent)
		}
		if len(l.got) == 0 || l.got[len(l.got)-1] != last || l.sent < payloads {
			l.send(payloads)
		}
		select {
		case e := <-l.events:
			l.event(e)
		case <-time.After(time.Second):
		}
	}
	for l.quiet() < l.next-1 {
		l.event(<-l.events)
	}

	var want []string
	for n := 1; n <= len(l.got)-1; n++ {
		want = append(want, payload(1000+n))
	}
	if got := strings.Join(l.got, "\n"); got != strings.Join(append(want, last), "\n") || len(l.got) <= payloads {
		l.t.Errorf("the client got\n%s", got)
	}
	want = nil
	for n := 1; n <= payloads; n++ {
		want = append(want, payload(n))
	}
	if got := st.received(); got != strings.Join(want, " ") {
		l.t.Errorf("the backend got\n%s", got)
	}
	var latest time.Duration
	for n := 1; n < l.next; n++ {
		if at, ok := l.clean[n]; ok {
			if at < latest {
				l.t.Errorf("request %d was answered at %v, after a later one", n, at)
			}
			latest = at
		}
	}
	for range 2 {
		l.wantEnd("goodbye", l.post(l.at(l.next, "type='terminate'", "")), "end")
	}
	synctest.Wait()
}
