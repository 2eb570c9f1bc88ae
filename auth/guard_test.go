package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mochibosh/mochibosh/auth"
	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/internal/pushtest"
	"github.com/mochibosh/mochibosh/transport/push"
)

// serve serves a bus behind a guard, over all carriers of push.v1.
func serve(t *testing.T, o *auth.Options) (*pushtest.Server, *auth.Guard) {
	t.Helper()
	if o.Authenticator == nil {
		o.Authenticator = names
	}
	g := auth.NewGuard(o)
	return pushtest.Start(t, pushtest.Options{
		Backend: bus.New(&bus.Options{Guard: g}),
		Push:    push.Options{Guard: g, Inactivity: time.Hour},
	}), g
}

// signIn makes a session with a token.
func signIn(t *testing.T, s *pushtest.Server, token string) pushtest.Session {
	t.Helper()
	status, o := s.Post("/push", fmt.Sprintf(`{"token":%q}`, token))
	if status != http.StatusCreated {
		t.Fatalf("%q: %d %+v", token, status, o.Error)
	}
	return s.Session(o)
}

// say posts messages, the first of which has this number, and returns what the
// server has to say then, after what was acknowledged.
func say(s pushtest.Session, first, attach, ack int, messages string) []string {
	s.Post(fmt.Sprintf(`"first":%d,"messages":[%s]`, first, messages))
	synctest.Wait()
	return s.Post(fmt.Sprintf(`"attach":%d,"ack":%d,"wait":0`, attach, ack)).Strings()
}

func TestSigningIn(t *testing.T) {
	for _, tt := range []struct {
		name, object  string
		status        int
		code, message string
		close         int // of a WebSocket
	}{
		{"a user", `{"token":"ann"}`, 201, "", "", 0},
		{"without a token", `{}`, 401, "unauthorized", "a token is needed", 4401},
		{"with one that is forged", `{"token":"forged"}`, 401, "unauthorized", "the token's signature is wrong", 4401},
		{"with an old one", `{"token":"old"}`, 401, "expired", "the token has expired", 4401},
		{"as somebody who may not", `{"token":"banned"}`, 403, "forbidden", "connect is not allowed here", 4403},
		{"when it cannot be checked", `{"token":"broken"}`, 503, "unavailable", "who you are cannot be checked now", 1013},
		{"with a token of nobody", `{"token":"nobody"}`, 401, "unauthorized", "the token says of no user", 4401},
		{"with too long a name", `{"token":"` + strings.Repeat("x", auth.MaxUser+1) + `"}`, 401, "unauthorized", "the name of the user is too long", 4401},
		{"with too long a token", `{"token":"` + strings.Repeat("x", auth.MaxToken+1) + `"}`, 401, "unauthorized", "the token is too long", 4401},
		{"with a token that is no string", `{"token":7}`, 400, "bad-request", `member "token" cannot be a number`, 4400},
	} {
		t.Run(tt.name+", over HTTP", bubble(func(t *testing.T) {
			s, _ := serve(t, &auth.Options{})
			resp, o := s.Do(s.Request("POST", "/push", tt.object))
			if resp.StatusCode != tt.status || tt.code != "" && (o.Error == nil || o.Error.Code != tt.code || o.Error.Message != tt.message) {
				t.Errorf("%d %+v", resp.StatusCode, o.Error)
			}
			if h := resp.Header; (h.Get("WWW-Authenticate") != "") != (tt.status == 401) || (h.Get("Retry-After") != "") != (tt.status == 503) {
				t.Errorf("headers %v", h)
			}
			if got := s.Manager.Stats().Sessions; got != 0 && tt.status != 201 {
				t.Errorf("%d sessions", got)
			}
		}))
		t.Run(tt.name+", over WebSocket", bubble(func(t *testing.T) {
			s, _ := serve(t, &auth.Options{})
			ws := s.WebSocket()
			ws.Send(tt.object)
			o, err := ws.Next()
			switch {
			case err != nil:
				t.Fatal(err)
			case tt.close == 0 && o.Session == "", tt.close != 0 && (o.Error == nil || o.Error.Code != tt.code):
				t.Errorf("%+v", o)
			case tt.close != 0 && ws.CloseCode() != tt.close:
				t.Error("another close code")
			}
		}))
	}
	t.Run("by a header", bubble(func(t *testing.T) {
		s, g := serve(t, &auth.Options{})
		r := s.Request("POST", "/push", `{}`)
		r.Header.Set("Authorization", "bearer ann")
		if resp, o := s.Do(r); resp.StatusCode != 201 {
			t.Errorf("%d %+v", resp.StatusCode, o.Error)
		}
		ws, _, err := s.DialWebSocket(http.Header{"Authorization": {"Bearer ann"}}, push.Protocol)
		if err != nil {
			t.Fatal(err)
		}
		defer ws.Close()
		ws.WriteMessage(1, []byte(`{}`))
		if _, data, err := ws.ReadMessage(); err != nil || !strings.Contains(string(data), `"user":"ann"`) {
			t.Errorf("%s, %v", data, err)
		}
		if n := len(g.Sessions("ann")); n != 2 {
			t.Errorf("%d sessions of ann", n)
		}
	}))
}

func TestNothingIsAllowedWithoutARule(t *testing.T) {
	forbidden := func(op string) string {
		return fmt.Sprintf(`{"type":"error","code":"forbidden","message":"%s is not allowed here"}`, op)
	}
	t.Run("a user", bubble(func(t *testing.T) {
		server, _ := serve(t, &auth.Options{})
		s := signIn(t, server, "ann")
		got := say(s, 1, 1, 0, `{"op":"subscribe","topic":"u"},{"op":"publish","topic":"u","data":1},{"op":"presence","topic":"u"},
			{"op":"subscribe","topic":"t","history":1},{"op":"subscribe","topic":"t","presence":1},{"op":"publish","topic":"$all","data":1}`)
		want := []string{forbidden("subscribe"), forbidden("publish"), forbidden("presence"), forbidden("history"), forbidden("presence"),
			`{"type":"error","code":"forbidden","message":"clients do not publish here"}`}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("got\n%s", strings.Join(got, "\n"))
		}
	}))
	t.Run("anybody, with no options at all", bubble(func(t *testing.T) {
		g := auth.NewGuard(nil)
		for _, token := range []string{"", "x"} {
			if _, err := g.SignIn(t.Context(), token); err == nil {
				t.Errorf("%q is let in", token)
			}
		}
	}))
	t.Run("everything is with Open", bubble(func(t *testing.T) {
		server, _ := serve(t, &auth.Options{Open: true})
		s := server.Create()
		got := say(s, 1, 1, 0, `{"op":"publish","topic":"u","data":1},{"op":"publish","topic":"$all","data":1}`)
		if len(got) != 2 || !strings.Contains(got[0]+got[1], `"published","topic":"$all"`) {
			t.Errorf("%q", got)
		}
	}))
	t.Run("what a rule, a token or Decide allows is", bubble(func(t *testing.T) {
		rules, err := auth.ParseRules("anonymous subscribe on n/*")
		if err != nil {
			t.Fatal(err)
		}
		asked := 0
		server, _ := serve(t, &auth.Options{Rules: rules, Decide: func(_ context.Context, p *auth.Principal, c auth.Capability, topic string) error {
			asked++
			if topic == "decided" {
				return nil
			}
			return errors.New("a secret of the application")
		}})
		got := strings.Join(say(server.Create(), 1, 1, 0, `{"op":"subscribe","topic":"n/1"},{"op":"publish","topic":"decided","data":1},{"op":"publish","topic":"n/1","data":1}`), "\n")
		if !strings.Contains(got, `"subscribed","topic":"n/1"`) || !strings.Contains(got, `"published","topic":"decided"`) ||
			!strings.Contains(got, `"code":"unavailable"`) || strings.Contains(got, "secret") || asked != 2 {
			t.Errorf("asked %d times:\n%s", asked, got)
		}
	}))
	t.Run("the user's own topics need no rule, others' do", bubble(func(t *testing.T) {
		server, _ := serve(t, &auth.Options{})
		s := signIn(t, server, "ann")
		got := strings.Join(say(s, 1, 1, 0, `{"op":"subscribe","topic":"$user/ann","history":5},{"op":"subscribe","topic":"$all"},{"op":"subscribe","topic":"$user/bob"}`), "\n")
		if strings.Count(got, `"subscribed"`) != 2 || !strings.Contains(got, `"forbidden"`) {
			t.Errorf("got\n%s", got)
		}
	}))
	t.Run("without history, a position is one whose messages are lost", bubble(func(t *testing.T) {
		server, _ := serve(t, &auth.Options{})
		s := signIn(t, server, "ann")
		got := say(s, 1, 1, 0, `{"op":"publish","topic":"t","data":1},{"op":"subscribe","topic":"t"}`)
		_, epoch, _ := strings.Cut(got[1], `"epoch":`)
		epoch, _, _ = strings.Cut(epoch, ",")
		got = say(s, 3, 2, 2, `{"op":"subscribe","topic":"t","since":{"epoch":`+epoch+`,"offset":0}},{"op":"subscribe","topic":"t","since":{"epoch":`+epoch+`,"offset":1}}`)
		if len(got) != 2 || !strings.Contains(got[0], `"offset":1,"recovered":false`) || !strings.Contains(got[1], `"offset":1,"recovered":true`) {
			t.Errorf("got\n%s", strings.Join(got, "\n"))
		}
	}))
}

// While an application takes its time over one session, the others go on.
func TestOthersDoNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, _ := serve(t, &auth.Options{Decide: func(ctx context.Context, _ *auth.Principal, _ auth.Capability, topic string) error {
			if topic == "slow" {
				time.Sleep(time.Minute)
			}
			return nil
		}})
		slow, quick := signIn(t, server, "ann"), signIn(t, server, "bob")
		slow.Post(`"first":1,"messages":[{"op":"publish","topic":"slow","data":1},{"op":"publish","topic":"t","data":1}]`)
		before := time.Now()
		if got := say(quick, 1, 1, 0, `{"op":"publish","topic":"other","data":1}`); len(got) != 1 || time.Since(before) != 0 {
			t.Errorf("after %v: %q", time.Since(before), got)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := slow.Post(`"attach":1,"ack":0,"wait":0`).Strings(); len(got) != 2 {
			t.Errorf("the slow one: %q", got)
		}
	})
}

func TestUsersAreShownWhereTheTopicSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := auth.NewGuard(&auth.Options{Authenticator: names, Rules: must(auth.ParseRules("anybody subscribe publish presence history on *"))})
		server := pushtest.Start(t, pushtest.Options{
			Backend: bus.New(&bus.Options{Guard: g, Topics: []bus.TopicRule{{Pattern: "open", ShowUsers: true}}}),
			Push:    push.Options{Guard: g},
		})
		for topic, want := range map[string]string{"open": `"user":"ann"`, "closed": ""} {
			got := strings.Join(say(signIn(t, server, "ann"), 1, 1, 0, fmt.Sprintf(`{"op":"subscribe","topic":%q,"presence":{"user":"eve"}},{"op":"publish","topic":%q,"data":1}`, topic, topic)), "\n")
			shown := strings.Count(got, `"user":"ann"`)
			if want == "" && shown != 0 || want != "" && (shown != 2 || !strings.Contains(got, `"user":"ann","info":{"user":"eve"}`) || !strings.Contains(got, `"user":"ann","data":1`)) {
				t.Errorf("%s:\n%s", topic, got)
			}
			nobody := strings.Join(say(server.Create(), 1, 1, 0, fmt.Sprintf(`{"op":"publish","topic":%q,"data":2}`, topic)), "\n")
			if strings.Contains(nobody, "user") {
				t.Errorf("nobody: %s", nobody)
			}
		}
	})
}

func TestASessionBelongsToItsUser(t *testing.T) {
	const another = "this session is another user's"
	t.Run("to resume it with another user's token is refused, and does no harm", bubble(func(t *testing.T) {
		server, _ := serve(t, &auth.Options{})
		s := signIn(t, server, "ann")
		owner := s.WebSocket(`"attach":1`)
		if _, err := owner.Next(); err != nil {
			t.Fatal(err)
		}
		for path, members := range map[string]string{"/push": `"attach":9,"token":"bob"`, "/push/sse": `"attach":9,"token":"bob"`} {
			if status, o := server.Post(path, s.Object(members)); status != 403 || o.Error.Message != another {
				t.Errorf("%s: %d %+v", path, status, o.Error)
			}
		}
		thief := s.WebSocket(`"attach":9,"token":"bob"`)
		if o, err := thief.Next(); err != nil || o.Error == nil || o.Error.Message != another || thief.CloseCode() != 4403 {
			t.Errorf("%+v, %v", o, err)
		}
		owner.Send(`{"messages":[{"op":"publish","topic":"t","data":1}]}`)
		for {
			o, err := owner.Next()
			if err != nil || o.Replaced {
				t.Fatalf("the owner: %+v, %v", o, err)
			}
			if len(o.Messages) > 0 {
				break
			}
		}
	}))
	t.Run("one of nobody stays nobody's", bubble(func(t *testing.T) {
		rules, _ := auth.ParseRules("anonymous subscribe on t")
		server, _ := serve(t, &auth.Options{Rules: rules})
		s := server.Create()
		got := say(s, 1, 1, 0, `{"op":"refresh","token":"ann","ref":1}`)
		if len(got) != 1 || got[0] != `{"type":"error","ref":1,"code":"forbidden","message":"`+another+`"}` {
			t.Errorf("got %q", got)
		}
	}))
	t.Run("its user's sessions are known while they live", bubble(func(t *testing.T) {
		server, g := serve(t, &auth.Options{})
		s := signIn(t, server, "ann")
		signIn(t, server, "ann")
		if n := len(g.Sessions("ann")); n != 2 {
			t.Errorf("%d sessions", n)
		}
		s.Post(`"end":true`)
		synctest.Wait()
		if n := len(g.Sessions("ann")); n != 1 {
			t.Errorf("%d sessions after one has ended", n)
		}
	}))
}

func TestTokensExpire(t *testing.T) {
	// received returns what came until a time has passed.
	received := func(s pushtest.Session, attach, ack int) []string {
		synctest.Wait()
		o := s.Post(fmt.Sprintf(`"attach":%d,"ack":%d,"wait":0`, attach, ack))
		if o.End != nil {
			return []string{"end " + o.End.Code + fmt.Sprint(o.End.Retry)}
		}
		return o.Strings()
	}
	want := func(t *testing.T, sentence string, got []string, messages ...string) {
		t.Helper()
		if strings.Join(got, "\n") != strings.Join(messages, "\n") {
			t.Errorf("%s: got\n%s", sentence, strings.Join(got, "\n"))
		}
	}
	t.Run("a client is told, and then its session ends", bubble(func(t *testing.T) {
		server, _ := serve(t, &auth.Options{Notice: 20 * time.Second, Grace: 10 * time.Second})
		_, created := server.Post("/push", `{"token":"ann 100s"}`)
		s := server.Session(created)
		want(t, "at first", received(s, 1, 0))
		time.Sleep(80*time.Second - 1)
		want(t, "before the notice", received(s, 2, 0))
		time.Sleep(time.Nanosecond)
		want(t, "then", received(s, 3, 0), `{"type":"expiring","expires":20}`)
		time.Sleep(20 * time.Second)
		want(t, "at the end", received(s, 4, 1), `{"type":"expired","grace":10}`)
		want(t, "while it is over", say(s, 1, 5, 2, `{"op":"publish","topic":"t","data":1}`), `{"type":"error","code":"expired","message":"the token has expired"}`)
		time.Sleep(10 * time.Second)
		want(t, "after the grace", received(s, 6, 3), "end expiredtrue")
	}))
	t.Run("a newer token keeps it", bubble(func(t *testing.T) {
		server, _ := serve(t, &auth.Options{Notice: 20 * time.Second, Grace: 10 * time.Second})
		s := signIn(t, server, "ann 100s")
		time.Sleep(105 * time.Second)
		want(t, "late", received(s, 1, 0), `{"type":"expiring","expires":20}`, `{"type":"expired","grace":10}`)
		want(t, "refreshed", say(s, 1, 2, 2, `{"op":"refresh","token":"ann 1h","ref":"r"}`), `{"type":"refreshed","ref":"r","expires":3600}`)
		time.Sleep(9 * time.Minute)
		want(t, "much later", say(s, 2, 3, 3, `{"op":"publish","topic":"t","data":1}`), `{"type":"published","topic":"t","offset":1}`)
		want(t, "for ever", say(s, 3, 4, 4, `{"op":"refresh","token":"ann"}`), `{"type":"refreshed"}`)
		time.Sleep(9 * time.Minute)
		want(t, "nothing more is said of it", received(s, 5, 5))
	}))
	t.Run("one that is refused changes nothing", bubble(func(t *testing.T) {
		server, g := serve(t, &auth.Options{})
		s := signIn(t, server, "ann 1h")
		for token, code := range map[string]string{"bob": "forbidden", "forged": "unauthorized", "old": "expired", "broken": "unavailable", "": "unauthorized"} {
			if err := g.Refresh(t.Context(), g.Sessions("ann")[0], token); err == nil {
				t.Errorf("%q is taken", token)
			}
			if status, o := server.Post("/push", s.Object(fmt.Sprintf(`"token":%q`, token))); token != "" && (status == 200 || o.Error.Code != code) {
				t.Errorf("%q: %d %+v", token, status, o.Error)
			}
		}
		want(t, "afterwards", say(s, 1, 1, 0, `{"op":"publish","topic":"t","data":1}`), `{"type":"published","topic":"t","offset":1}`)
	}))
	t.Run("one beside the key counts", bubble(func(t *testing.T) {
		server, g := serve(t, &auth.Options{})
		s := signIn(t, server, "ann 1h")
		s.Post(`"token":"ann 2h"`)
		ws := s.WebSocket(`"attach":1,"token":"ann 3h"`)
		ws.Next()
		ws.Send(`{"token":"ann 4h"}`)
		synctest.Wait()
		if _, expires := g.Who(g.Sessions("ann")[0]); time.Until(expires) != 4*time.Hour {
			t.Errorf("it expires in %v", time.Until(expires))
		}
	}))
	t.Run("a short one is announced at once", bubble(func(t *testing.T) {
		server, _ := serve(t, &auth.Options{})
		want(t, "at once", received(signIn(t, server, "ann 5s"), 1, 0), `{"type":"expiring","expires":5}`)
	}))
}
