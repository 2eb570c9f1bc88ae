package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mochibosh/mochibosh/transport"
)

// What happens on the event bus is counted.
func TestBusMetrics(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, `{"user":"ann","topics":{"t":["subscribe","publish"]}}`)
	}))
	defer app.Close()
	keys := writeFile(t, "keys", "")
	p := start(t, "--dev=false", pushOn, "--webhook="+app.URL, "--api-keys="+keys, "--max-message=10", "--max-sessions-per-user=1",
		"--memory-budget=1MiB", "--topic=t?rate=0.1&burst=3")
	opened := call(t, "POST", p.url+"/push", `{"token":"x"}`).wantStatus(t, 201).body
	call(t, "POST", p.url+"/push", `{"token":"x"}`).wantStatus(t, 429)
	call(t, "POST", p.url+"/push", `{}`).wantStatus(t, 401)
	call(t, "POST", p.url+"/api/publish", `{}`).wantStatus(t, 401)
	session, key := cut(opened, `"session":"`, `"`), cut(opened, `"key":"`, `"`)
	call(t, "POST", p.url+"/push", fmt.Sprintf(`{"session":%q,"key":%q,"first":1,"attach":1,"wait":1,"messages":[
		{"op":"subscribe","topic":"t"},{"op":"publish","topic":"t","data":1,"id":"a"},{"op":"publish","topic":"t","data":1,"id":"a"},
		{"op":"publish","topic":"t","data":"much too long"},{"op":"publish","topic":"t","data":2},{"op":"subscribe","topic":"u"}]}`, session, key)).wantStatus(t, 200)
	for !strings.Contains(call(t, "GET", p.url+"/metrics", "").body, `mochibosh_bus_refusals_total{code="unavailable",op="subscribe"} 1`) {
		// The last of what the client wanted: the application does not say whether it may.
	}
	call(t, "GET", p.url+"/metrics", "").wantBody(t,
		`mochibosh_sessions{protocol="push.v1"} 1`,
		`mochibosh_windows_full{protocol="push.v1",window="outbox"} 0`,
		`mochibosh_publications_total{result="new"} 1`,
		`mochibosh_publications_total{result="duplicate"} 1`,
		`mochibosh_publication_bytes_total 1`,
		`mochibosh_deliveries_total 1`,
		`mochibosh_topics 1`,
		`mochibosh_history_messages 1`,
		`mochibosh_topics_subscribed 1`,
		`mochibosh_subscriptions 1`,
		`mochibosh_sign_ins_total{result="ok"} 2`,
		`mochibosh_sign_ins_total{result="unauthorized"} 1`,
		`mochibosh_webhook_seconds_count{kind="connect",outcome="ok"} 2`,
		`mochibosh_api_calls_total{code="unauthorized",operation="publish"} 1`,
		`mochibosh_api_call_seconds_count{operation="publish"} 1`,
		`mochibosh_limits_reached_total{limit="max-sessions-per-user"} 1`,
		`mochibosh_memory_budget_bytes 1.048576e+06`,
		`mochibosh_memory_full 0`,
		`mochibosh_bus_refusals_total{code="too-big",op="publish"} 1`,
		`mochibosh_limits_reached_total{limit="max-message"} 1`,
		`mochibosh_limits_reached_total{limit="topic-rate"} 1`,
		`mochibosh_permission_refusals_total{capability="subscribe",reason="unavailable"} 1`)
}

// aStore fails as it is told to.
type aStore struct{ err error }

func (s aStore) Load(context.Context, string) ([]byte, uint64, error) { return nil, 0, s.err }
func (s aStore) Save(context.Context, string, []byte, uint64) (next uint64, err error) {
	return 1, s.err
}
func (s aStore) Delete(context.Context, string, uint64) error { return s.err }

// A fetcher is a store whose sessions may be elsewhere.
type fetcher struct{ aStore }

func (fetcher) Fetch(context.Context, string, string) error { return nil }

func TestStoresAreObserved(t *testing.T) {
	m := newMetrics()
	if m.observe(nil) != nil {
		t.Error("no store became one")
	}
	if _, ok := m.observe(fetcher{}).(transport.Fetcher); !ok {
		t.Error("a store that fetches does so no more")
	}
	for _, err := range []error{nil, transport.ErrConflict, transport.ErrNoSession, &transport.Owned{By: "b"}, errors.New("on fire")} {
		s := m.observe(aStore{err})
		s.Load(t.Context(), "x")
		s.Save(t.Context(), "x", nil, 0)
		s.Delete(t.Context(), "x", 0)
	}
	w := httptest.NewRecorder()
	m.handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, result := range []string{"ok", "conflict", "none", "elsewhere", "failed"} {
		for _, operation := range []string{"load", "save", "delete"} {
			want(t, result, w.Body.String(), fmt.Sprintf("mochibosh_store_operations_total{operation=%q,result=%q} 1\n", operation, result))
		}
	}
	want(t, "times", w.Body.String(), `mochibosh_store_seconds_count{operation="save"} 5`)
}
