package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// An operator has a key for the admin page.
type operator struct {
	t    *testing.T
	p    *process
	file string // with the hash of the key
	key  string
}

func newOperator(t *testing.T, args ...string) *operator {
	t.Helper()
	k, secret := newAdminKey("ann")
	o := &operator{t: t, file: writeFile(t, "keys", k.String()), key: secret}
	o.p = start(t, append([]string{pushOn, "--admin-key-file=" + o.file}, args...)...)
	return o
}

func (o *operator) ask(name, query string, header ...string) answer {
	o.t.Helper()
	return call(o.t, "POST", o.p.url+"/admin/api/"+name, query, append(header, "Authorization: Bearer "+o.key)...)
}

func TestAdminPageIsOffByDefault(t *testing.T) {
	p := start(t, pushOn)
	call(t, "GET", p.url+"/admin/", "").wantStatus(t, 404)
	call(t, "POST", p.url+"/admin/api/sessions", "{}").wantStatus(t, 404)
}

func TestAdminPage(t *testing.T) {
	o := newOperator(t)
	page := call(t, "GET", o.p.url+"/admin/", "").wantStatus(t, 200).wantBody(t, "mochibosh admin")
	for _, part := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} {
		if policy := page.Header.Get("Content-Security-Policy"); !strings.Contains(policy, part) {
			t.Errorf("no %s in the policy %q", part, policy)
		}
	}
	call(t, "GET", o.p.url+"/admin", "").wantStatus(t, 302)
	o.ask("nothing", "{}").wantStatus(t, 404)

	ben, eve := newPushSession(t, o.p), newPushSession(t, o.p)
	ben.say(`{"op":"subscribe","topic":"news"}`)
	eve.say(`{"op":"subscribe","topic":"news"}`)
	all := o.ask("sessions", "{}").wantStatus(t, 200).wantBody(t, `"protocol":"push.v1"`, `"address":"127.0.0.1"`).body
	if strings.Contains(all, ben.Session) || strings.Contains(all, ben.Key) {
		t.Errorf("it tells what makes a client: %s", all)
	}
	o.ask("topics", "{}").wantStatus(t, 200).wantBody(t, `"topic":"news"`, `"subscribers":2`)
	o.ask("slow", "{}").wantStatus(t, 200).wantBody(t, `"rows":`)
	o.ask("sessions", `{"user":"nobody"}`).wantStatus(t, 200).wantBody(t, `"rows":null`)

	first := cut(all, `"session":"`, `"`)
	o.ask("session", fmt.Sprintf(`{"session":%q}`, first)).wantStatus(t, 200).wantBody(t, `"next":2`, `"window":256`, `"last":1`)
	o.ask("end", fmt.Sprintf(`{"session":%q,"reason":"enough"}`, first)).wantStatus(t, 200).wantBody(t, `{"ended":true}`)
	o.p.until("session ended by an administrator")
	o.ask("end", fmt.Sprintf(`{"session":%q}`, first)).wantStatus(t, 404).wantBody(t, `"not-found"`)
	o.ask("session", fmt.Sprintf(`{"session":%q}`, first)).wantStatus(t, 404).wantBody(t, `"not-found"`)
	ended, others := 0, 0
	for _, s := range []*pushSession{ben, eve} {
		a := s.post(`"attach":9,"wait":0,"ack":1`)
		switch {
		case strings.Contains(a.body, "enough"):
			ended++
		case a.StatusCode == http.StatusOK:
			others++
		}
	}
	if ended != 1 || others != 1 {
		t.Errorf("%d sessions are told of the end, %d go on", ended, others)
	}
}

func TestAdminMaxRows(t *testing.T) {
	o := newOperator(t, "--admin-max-rows=2")
	for range 3 {
		newPushSession(t, o.p)
	}
	first := o.ask("sessions", `{"limit":1000}`).wantStatus(t, 200).wantBody(t, `"more":true`).body
	if n := strings.Count(first, `"protocol"`); n != 2 {
		t.Errorf("%d rows", n)
	}
	last := first[strings.LastIndex(first, `"session":"`):]
	rest := o.ask("sessions", fmt.Sprintf(`{"after":%q}`, cut(last, `"session":"`, `"`))).wantBody(t, `"more":false`).body
	if n := strings.Count(rest, `"protocol"`); n != 1 {
		t.Errorf("%d more rows", n)
	}
}

// Bad calls get an answer that says what is wrong.
func TestAdminRefusals(t *testing.T) {
	o := newOperator(t)
	url := o.p.url + "/admin/api/sessions"
	call(t, "GET", url, "").wantStatus(t, 405)
	call(t, "POST", url, "{}").wantStatus(t, 401).wantBody(t, `"unauthorized"`)
	call(t, "POST", url, "{}", "Authorization: Bearer ma_WRONG").wantStatus(t, 401)
	o.ask("sessions", "{}", "Origin: https://evil.example").wantStatus(t, 403).wantBody(t, "other origins")
	o.ask("sessions", "[]").wantStatus(t, 400)
	o.ask("sessions", "{").wantStatus(t, 400)
	o.ask("sessions", `{"user":"`+strings.Repeat("a", maxAdminBody)+`"}`).wantStatus(t, 400)
	o.ask("end", `{"session":"x","reason":"`+strings.Repeat("a", maxReason+1)+`"}`).wantStatus(t, 400).wantBody(t, "too long")
}

// A key for the page is for the page, and what is there is for nobody else.
func TestAdminKeysAreForThePage(t *testing.T) {
	o := newOperator(t, "--dev=false", "--allow=anonymous subscribe publish history presence on *", "--allow-origin=https://app.example")
	token := fmt.Sprintf(`{"token":%q}`, o.key)
	call(t, "POST", o.p.url+"/push", token, "Origin: https://app.example").wantStatus(t, 403).wantBody(t, "on that page only")
	call(t, "POST", o.p.url+"/push", token).wantStatus(t, 201)
	call(t, "POST", o.p.url+"/api/publish", `{"topic":"news","data":1}`, "Authorization: Bearer "+o.key).wantStatus(t, 401)
	anybody := newPushSession(t, o.p)
	anybody.say(`{"op":"subscribe","topic":"$admin/numbers"}`).wantBody(t, `"forbidden"`)
	anybody.say(`{"op":"publish","topic":"$admin/numbers","data":1}`).wantBody(t, `"forbidden"`)
}

func TestAdminKeysAreReplaced(t *testing.T) {
	o := newOperator(t)
	o.ask("slow", "{}").wantStatus(t, 200)
	k, secret := newAdminKey("ben")
	replace(t, o.file, k.String())
	reload(t, o.p)
	o.ask("slow", "{}").wantStatus(t, 401)
	o.key = secret
	o.ask("slow", "{}").wantStatus(t, 200)
}

func TestAdminKeysAreNotGuessed(t *testing.T) {
	o := newOperator(t, "--signin-failure-rate=3")
	good := o.key
	o.key = "ma_WRONG"
	for range 3 {
		o.ask("slow", "{}").wantStatus(t, 401)
	}
	o.key = good
	if a := o.ask("slow", "{}").wantStatus(t, 429); a.Header.Get("Retry-After") == "" {
		t.Error("it does not say when to try again")
	}
}
