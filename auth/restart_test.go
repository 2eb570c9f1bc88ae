package auth_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mochibosh/mochibosh/auth"
	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/transport"
)

// shelf is a transport.Store that takes what is suspended.
type shelf map[string][]byte

func (s shelf) Load(_ context.Context, id string) ([]byte, uint64, error) { return s[id], 1, nil }
func (s shelf) Save(_ context.Context, id string, snapshot []byte, _ uint64) (uint64, error) {
	s[id] = append([]byte(nil), snapshot...)
	return 1, nil
}
func (s shelf) Delete(_ context.Context, id string, _ uint64) error { delete(s, id); return nil }

// A session belongs to its user in the next process, too, with what its newest
// token grants, and until that ends.
func TestASessionKeepsItsUserAcrossARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := bus.NewMemory(nil)
		process := func() (*auth.Guard, *transport.Manager) {
			g := auth.NewGuard(&auth.Options{Authenticator: names, Grace: time.Minute})
			return g, transport.NewManager(&transport.Options{Backend: bus.New(&bus.Options{
				Guard: g, Engine: engine, Topics: []bus.TopicRule{{Pattern: "t", ShowUsers: true}},
			})})
		}
		g, m := process()
		ctx, err := g.SignIn(t.Context(), "ann 1m")
		if err != nil {
			t.Fatal(err)
		}
		s, err := m.Create(ctx, transport.Params{Protocol: "push.v1", Wait: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Open(ctx, "", ""); err != nil {
			t.Fatal(err)
		}
		if err := g.Refresh(t.Context(), s, "ann 1h"); err != nil {
			t.Fatal(err)
		}
		kept := shelf{}
		if n, err := m.Suspend(t.Context(), transport.Suspension{Store: kept}); n != 1 || err != nil {
			t.Fatalf("%d sessions, %v", n, err)
		}
		if n := len(g.Sessions("ann")); n != 0 {
			t.Errorf("%d sessions of ann, where there is none any more", n)
		}

		g, m = process()
		defer m.Shutdown(context.Background())
		if s, err = m.Restore(t.Context(), s.ID(), kept[s.ID()], 0); err != nil {
			t.Fatal(err)
		}
		user, expires := g.Who(s)
		if user != "ann" || time.Until(expires).Round(time.Second) != time.Hour || len(g.Sessions("ann")) != 1 {
			t.Errorf("it is %q's, for %v", user, time.Until(expires))
		}
		if err := g.Refresh(t.Context(), s, "bob"); err == nil || !strings.Contains(err.Error(), "another user") {
			t.Errorf("bob's token: %v", err)
		}
		for i, topic := range []string{"t", "u"} { // the token grants t
			message := fmt.Sprintf(`{"op":"publish","topic":%q,"data":1}`, topic)
			if _, err := s.Push(t.Context(), uint64(i+1), []transport.Frame{{Data: []byte(message)}}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		r, err := s.Pull(t.Context(), transport.Pull{})
		if err != nil || len(r.Frames) < 2 {
			t.Fatalf("%+v, %v", r, err)
		}
		said := ""
		for _, f := range r.Frames {
			said += string(f.Data)
		}
		if !strings.Contains(said, `"published","topic":"t"`) || !strings.Contains(said, `"forbidden"`) {
			t.Errorf("said %s", said)
		}
		time.Sleep(5 * time.Minute) // nobody asks meanwhile
		if r, err := engine.Read(t.Context(), "t", bus.Query{Last: 1}); err != nil || r.Messages[0].User != "ann" {
			t.Errorf("%+v, %v", r, err)
		}
	})
}
