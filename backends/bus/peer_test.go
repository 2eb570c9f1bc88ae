package bus

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mochibosh/mochibosh/transport"
)

// bubble runs a test with a clock of its own.
func bubble(f func(t *testing.T)) func(*testing.T) {
	return func(t *testing.T) { synctest.Test(t, f) }
}

// house is a bus with a manager.
type house struct {
	t       testing.TB
	bus     *Bus
	manager *transport.Manager
	names   names
}

func newHouse(t testing.TB, opts *Options) *house {
	h := &house{t: t, bus: New(opts)}
	h.manager = transport.NewManager(&transport.Options{Backend: h.bus})
	t.Cleanup(func() {
		if err := h.manager.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return h
}

// peer is a client of the bus, without a carrier.
type peer struct {
	*house
	session *transport.Session
	after   uint64
	frames  []string
}

func (h *house) join() *peer { return h.joinWith(transport.Params{}) }

func (h *house) joinWith(p transport.Params) *peer {
	h.t.Helper()
	p.Wait = cmp.Or(p.Wait, time.Minute)
	s, err := h.manager.Create(context.Background(), p)
	if err != nil {
		h.t.Fatal(err)
	}
	if _, err := s.Open(context.Background(), "", ""); err != nil {
		h.t.Fatal(err)
	}
	return &peer{house: h, session: s}
}

// send sends messages of the client.
func (p *peer) send(messages ...string) {
	p.t.Helper()
	for _, m := range messages {
		if _, err := p.session.Push(context.Background(), 0, []transport.Frame{{Data: []byte(m)}}); err != nil {
			p.t.Fatal(err)
		}
		synctest.Wait()
	}
}

// pull fetches what is there, without waiting.
func (p *peer) pull() {
	p.t.Helper()
	for {
		p.session.Ack(p.after) // and whoever waited for room gets it
		synctest.Wait()
		r, err := p.session.Pull(context.Background(), transport.Pull{After: p.after})
		if err != nil {
			p.t.Fatal(err)
		}
		if len(r.Frames) == 0 {
			return
		}
		for _, f := range r.Frames {
			p.frames = append(p.frames, p.names.hide(string(f.Data)))
		}
		p.after = r.Last()
	}
}

// want says which messages of the server come next, and that no others do.
func (p *peer) want(sentence string, messages ...string) {
	p.t.Helper()
	p.pull()
	got := p.frames
	p.frames = nil
	slices.SortStableFunc(got, func(a, b string) int { return cmp.Compare(rank(a), rank(b)) })
	if g, w := strings.Join(got, "\n"), strings.Join(messages, "\n"); g != w {
		p.t.Fatalf("%s\ngot:\n%s\nwant:\n%s", sentence, g, w)
	}
}

// rank puts `published` first: whether a message or the answer to its
// publisher is faster is not promised.
func rank(message string) int {
	if strings.HasPrefix(message, `{"type":"published"`) {
		return 0
	}
	return 1
}

func (p *peer) wantEnd(sentence string, want transport.Condition) {
	p.t.Helper()
	synctest.Wait()
	t, _ := p.session.Err().(*transport.Termination)
	if t == nil || t.Condition != want {
		p.t.Fatalf("%s: session ended with %v, want %q", sentence, t, want)
	}
}

func (h *house) publish(topic, data string) Published {
	h.t.Helper()
	done, err := h.bus.Publish(context.Background(), topic, []byte(data), nil)
	if err != nil {
		h.t.Fatal(err)
	}
	return done
}

// names replaces what is random: epochs become E, member ids M1, M2, …
type names struct{ members []string }

var (
	epochs    = regexp.MustCompile(`"epoch":"[0-9a-f]{12}"`)
	memberIDs = regexp.MustCompile(`"member":"([0-9a-f-]{36})"`)
)

func (n *names) hide(s string) string {
	s = epochs.ReplaceAllString(s, `"epoch":"E"`)
	return memberIDs.ReplaceAllStringFunc(s, func(m string) string {
		for i, known := range n.members {
			if known == m {
				return fmt.Sprintf(`"member":"M%d"`, i+1)
			}
		}
		n.members = append(n.members, m)
		return fmt.Sprintf(`"member":"M%d"`, len(n.members))
	})
}

// epoch returns the one epoch of the house's memory engine.
func (h *house) epoch() string { return h.bus.engine.(*Memory).epoch }

// message and subscribed spell messages of the server for topic "t".
func message(offset int, data string) string {
	return fmt.Sprintf(`{"type":"message","topic":"t","offset":%d,"data":%s}`, offset, data)
}

func subscribed(offset int, recovered bool) string {
	return fmt.Sprintf(`{"type":"subscribed","topic":"t","epoch":"E","offset":%d,"recovered":%v}`, offset, recovered)
}

func dropped(offset int) string {
	return fmt.Sprintf(`{"type":"dropped","topic":"t","epoch":"E","offset":%d}`, offset)
}
