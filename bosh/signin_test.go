package bosh_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mochibosh/mochibosh/auth"
	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/bosh"
	"github.com/mochibosh/mochibosh/transport"
)

// Clients of the bus bring a token in a header; those of XMPP servers none.
func TestSigningIn(t *testing.T) {
	guard := func() *auth.Guard {
		rules, err := auth.ParseRules("users publish subscribe on {user}")
		if err != nil {
			t.Fatal(err)
		}
		return auth.NewGuard(&auth.Options{Rules: rules, Authenticator: auth.AuthenticatorFunc(func(_ context.Context, token string) (*auth.Principal, error) {
			switch token {
			case "bad":
				return nil, &auth.Error{Code: auth.Unauthorized, Text: "bad"}
			case "old":
				return nil, &auth.Error{Code: auth.Expired, Text: "old"}
			case "banned":
				return nil, &auth.Error{Code: auth.Forbidden, Text: "banned"}
			case "later":
				return nil, context.DeadlineExceeded
			}
			return &auth.Principal{User: token}, nil
		})})
	}
	newGuarded := func(t *testing.T, streams bool) (*world, *auth.Guard) {
		g := guard()
		be := &backend{}
		w := newWorld(t, settings{
			bosh:    bosh.Options{SignIn: g.SignIn},
			manager: transport.Options{Backend: transport.Mux{"bus": bus.New(&bus.Options{Guard: g}), "be.test": be}},
			streams: streams,
		})
		return w, g
	}
	post := func(w *world, token, xml string) *answer {
		r := w.request(context.Background(), xml)
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		return w.do(r)
	}
	for _, tt := range []struct {
		name, token string
		status      int
	}{
		{"a user", "ann", 200},
		{"nobody", "", 401},
		{"a bad token", "bad", 401},
		{"an old one", "old", 401},
		{"somebody who may not", "banned", 403},
		{"when it cannot be checked", "later", 503},
	} {
		t.Run(tt.name, bubble(func(t *testing.T) {
			w, _ := newGuarded(t, false)
			a := post(w, tt.token, body("to='bus' rid='1' wait='60' hold='1' ver='1.6'", ""))
			if a.status != tt.status || strings.Contains(a.xml, "policy-violation") != (tt.status != 200) {
				t.Errorf("%d %s", a.status, a.xml)
			}
			if h := a.header; (h.Get("WWW-Authenticate") != "") != (tt.status == 401) || (h.Get("Retry-After") != "") != (tt.status == 503) {
				t.Errorf("headers %v", h)
			}
		}))
	}
	t.Run("an XMPP server asks for itself", bubble(func(t *testing.T) {
		w, _ := newGuarded(t, false)
		if a := post(w, "", body("to='be.test' rid='1' ver='1.6'", "")); a.status != 200 || strings.Contains(a.xml, "terminate") {
			t.Errorf("%d %s", a.status, a.xml)
		}
	}))
	const message = "<json xmlns='urn:xmpp:json:0'>%s</json>"
	say := func(s string) string { return strings.Replace(message, "%s", s, 1) }
	t.Run("what a user may do, and a newer token in the session", bubble(func(t *testing.T) {
		w, _ := newGuarded(t, false)
		sid := post(w, "ann", body("to='bus' rid='1' wait='60' hold='1' ver='1.6'", "")).attrs["sid"]
		a := post(w, "", body("rid='2' sid='"+sid+"'", say(`{"op":"publish","topic":"ann","data":1}`)))
		b := post(w, "", body("rid='3' sid='"+sid+"'", say(`{"op":"publish","topic":"bob","data":1}`)))
		c := post(w, "", body("rid='4' sid='"+sid+"'", say(`{"op":"refresh","token":"bob"}`)))
		d := post(w, "", body("rid='5' sid='"+sid+"'", say(`{"op":"refresh","token":"ann"}`)))
		for i, want := range []string{`"published"`, `"forbidden"`, `another user`, `"refreshed"`} {
			if got := []*answer{a, b, c, d}[i].xml; !strings.Contains(strings.ReplaceAll(got, "&quot;", `"`), want) {
				t.Errorf("%s: got %s", want, got)
			}
		}
	}))
	t.Run("a stream that is added brings its own", bubble(func(t *testing.T) {
		w, g := newGuarded(t, true)
		sid := post(w, "", body("to='be.test' rid='1' wait='60' hold='0' ver='1.6'", "")).attrs["sid"]
		post(w, "ann", body("rid='2' sid='"+sid+"' to='bus'", ""))
		synctest.Wait() // it is opened beside the answer
		if n := len(g.Sessions("ann")); n != 1 {
			t.Errorf("%d sessions of ann", n)
		}
		if a := post(w, "bad", body("rid='3' sid='"+sid+"' to='bus'", "")); !strings.Contains(a.xml, "policy-violation") {
			t.Errorf("with a bad token: %s", a.xml)
		}
	}))
}
