package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mochibosh/mochibosh/auth"
	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/transport"
)

// A key may do what is written on it.
func key(t testing.TB, name, grants string) (*Key, string) {
	t.Helper()
	g, err := auth.ParseGrants(grants, All...)
	if err != nil {
		t.Fatal(err)
	}
	return NewKey(name, g)
}

var epochs = regexp.MustCompile(`"epoch":"[0-9a-f]{12}"`)

// post calls an operation, and returns the status and what is said, with
// epochs as E.
func post(h http.Handler, secret, name, body string) (int, string, http.Header) {
	r := httptest.NewRequest("POST", Path+name, strings.NewReader(body))
	if secret != "" {
		r.Header.Set("Authorization", "Bearer "+secret)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, strings.TrimSpace(epochs.ReplaceAllString(w.Body.String(), `"epoch":"E"`)), w.Header()
}

func refused(code, text string) string {
	return fmt.Sprintf(`{"error":{"code":%q,"message":%q}}`, code, text)
}

func TestOperations(t *testing.T) {
	b := bus.New(&bus.Options{MaxMessage: 100, MaxTopics: 4, Topics: []bus.TopicRule{{Pattern: "small", MaxMessage: 3}, {Pattern: "none?"}, {Pattern: "*"}}})
	k, secret := key(t, "shop", "publish history presence sessions on t u v w x small $*")
	reader, readerSecret := key(t, "reader", "history on t")
	h := NewHandler(b, &Options{Keys: NewKeys(k, reader), MaxBatch: 3, MaxMessages: 2, MaxBody: 4000})
	big := `"` + strings.Repeat("x", 99) + `"`
	for _, tt := range []struct {
		name, operation, body string
		status                int
		want                  string
	}{
		{"a message", "publish", `{"topic":"t","data":{"a":1},"more":[]}`, 200, `{"topic":"t","epoch":"E","offset":1}`},
		{"a message with an id", "publish", `{"topic":"t","data":2,"id":"x","key":"k"}`, 200, `{"topic":"t","epoch":"E","offset":2}`},
		{"its repetition", "publish", `{"topic":"t","data":2,"id":"x"}`, 200, `{"topic":"t","epoch":"E","offset":2,"duplicate":true}`},
		{"null is a message", "publish", `{"topic":"t","data":null}`, 200, `{"topic":"t","epoch":"E","offset":3}`},
		{"no body", "publish", ``, 400, refused("bad-request", "not JSON: unexpected end of JSON input at byte 0")},
		{"not JSON", "publish", `topic=t`, 400, refused("bad-request", "not JSON: invalid character 'o' in literal true (expecting 'r') at byte 2")},
		{"something after it", "publish", `{"topic":"t","data":1} 2`, 400, refused("bad-request", "not JSON: invalid character '2' after top-level value at byte 24")},
		{"not UTF-8", "publish", "{\"topic\":\"t\",\"data\":\"\xff\"}", 400, refused("bad-request", "the body is not UTF-8")},
		{"not an object", "publish", `"t"`, 400, refused("bad-request", "not a JSON object but a string")},
		{"a topic that is a number", "publish", `{"topic":1,"data":1}`, 400, refused("bad-request", `member "topic" cannot be a number`)},
		{"no data", "publish", `{"topic":"t"}`, 400, refused("bad-request", "data is missing")},
		{"no topic", "publish", `{"data":1}`, 403, refused("forbidden", "the key is not for publish here")},
		{"a topic that the key is not for", "publish", `{"topic":"private","data":1}`, 403, refused("forbidden", "the key is not for publish here")},
		{"too much data", "publish", `{"topic":"t","data":` + big + `}`, 413, refused("too-big", "data is longer than 100 bytes")},
		{"too much data for the topic", "publish", `{"topic":"small","data":1234}`, 413, refused("too-big", "data is longer than 3 bytes")},
		{"too long a body", "publish", `{"topic":"t","x":"` + strings.Repeat("x", 10_000) + `"}`, 413, refused("too-big", "the body is too long")},
		{"too long an id", "publish", `{"topic":"t","data":1,"id":"` + strings.Repeat("x", 201) + `"}`, 400, refused("bad-request", "id or key is longer than 200 bytes")},

		{"with receipts", "publish", `{"topic":"u","data":0,"receipts":"v"}`, 200, `{"topic":"u","epoch":"E","offset":1}`},
		{"with receipts where the key may not publish", "publish", `{"topic":"u","data":0,"receipts":"private"}`, 403, refused("forbidden", "receipts: the key is not for publish there")},
		{"with receipts in a topic that is none", "publish", `{"topic":"u","data":0,"receipts":"$\n"}`, 400, refused("bad-request", "receipts: topic has a control character")},
		{"one message for several topics", "publish", `{"topics":["t","u"],"data":1}`, 200,
			`{"results":[{"topic":"t","epoch":"E","offset":4},{"topic":"u","epoch":"E","offset":2}]}`},
		{"both", "publish", `{"topic":"t","topics":["t"],"data":1}`, 400, refused("bad-request", "topic and topics exclude each other")},
		{"no topics", "publish", `{"topics":[],"data":1}`, 400, refused("bad-request", "there is nothing to publish")},
		{"several messages, of which some are refused", "publish-batch", `{"messages":[{"topic":"u","data":1,"id":"y"},{"topic":"private","data":1},{"topic":"u"}]}`, 200,
			`{"results":[{"topic":"u","epoch":"E","offset":3},{"topic":"private","error":{"code":"forbidden","message":"the key is not for publish here"}},{"topic":"u","error":{"code":"bad-request","message":"data is missing"}}]}`},
		{"too many messages", "publish-batch", `{"messages":[{},{},{},{}]}`, 413, refused("too-big", "more than 3 messages")},
		{"no messages", "publish-batch", `{}`, 400, refused("bad-request", "there is nothing to publish")},
		{"for one user", "publish-to-user", `{"user":"ann","data":1}`, 200, `{"topic":"$user/ann","epoch":"E","offset":1}`},
		{"for nobody", "publish-to-user", `{"data":1}`, 400, refused("bad-request", "user is missing or empty")},
		{"for everybody", "broadcast", `{"data":"hello"}`, 200, `{"topic":"$all","epoch":"E","offset":1}`},
		{"nothing for everybody", "broadcast", `{}`, 400, refused("bad-request", "data is missing")},
		{"one topic too many", "publish", `{"topic":"v","data":2}`, 503, refused("too-many-topics", "the server has too many topics")},

		{"the newest messages", "history", `{"topic":"t"}`, 200, `{"topic":"t","epoch":"E","offset":2,"recovered":true,"messages":[{"offset":3,"data":null},{"offset":4,"data":1}]}`},
		{"none of them", "history", `{"topic":"t","limit":0}`, 200, `{"topic":"t","epoch":"E","offset":4,"recovered":true,"messages":[]}`},
		{"from another life", "history", `{"topic":"t","since":{"epoch":"x","offset":3}}`, 200,
			`{"topic":"t","epoch":"E","offset":0,"recovered":false,"messages":[{"offset":1,"data":{"a":1}},{"offset":2,"key":"k","data":2}],"more":true}`},
		{"of a topic that nobody used", "history", `{"topic":"w"}`, 200, `{"topic":"w","epoch":"E","offset":0,"recovered":true,"messages":[]}`},
		{"fewer than none", "history", `{"topic":"t","limit":-1}`, 400, refused("bad-request", "limit is below zero")},
		{"of a topic that the key is not for", "history", `{"topic":"private"}`, 403, refused("forbidden", "the key is not for history here")},

		{"nobody is present", "presence", `{"topic":"t"}`, 200, `{"topic":"t","members":[],"count":0}`},
		{"no sessions", "sessions", `{"user":"ann"}`, 200, `{"user":"ann","sessions":[]}`},
		{"of nobody", "sessions", `{}`, 400, refused("bad-request", "user is missing or empty")},
		{"no sessions to end", "end-sessions", `{"user":"ann"}`, 200, `{"ended":0}`},
		{"of nobody", "end-sessions", `{"session":"x"}`, 400, refused("bad-request", "user is missing or empty")},
		{"nothing there", "publishing", `{}`, 404, refused("not-found", "there is no such operation")},
		{"nothing at all", "", `{}`, 404, refused("not-found", "there is no such operation")},
	} {
		t.Run(tt.operation+" "+tt.name, func(t *testing.T) {
			status, got, header := post(h, secret, tt.operation, tt.body)
			if status != tt.status || got != tt.want {
				t.Errorf("got  %d %s\nwant %d %s", status, got, tt.status, tt.want)
			}
			if header.Get("Cache-Control") != "no-store" || header.Get("Content-Type") != "application/json" || (header.Get("Retry-After") != "") != (status == 503) {
				t.Errorf("headers %v", header)
			}
		})
	}
	t.Run("keys", func(t *testing.T) {
		for name, tt := range map[string]struct {
			secret, operation, body string
			status                  int
		}{
			"none":                     {"", "publish", `{"topic":"t","data":1}`, 401},
			"one that is not ours":     {"mk_NONSENSE", "publish", `{"topic":"t","data":1}`, 401},
			"the hash of one":          {strings.Fields(k.String())[1], "publish", `{"topic":"t","data":1}`, 401},
			"its name":                 {"shop", "publish", `{"topic":"t","data":1}`, 401},
			"one that may only read":   {readerSecret, "history", `{"topic":"t"}`, 200},
			"and not publish":          {readerSecret, "publish", `{"topic":"t","data":1}`, 403},
			"nor see who is there":     {readerSecret, "presence", `{"topic":"t"}`, 403},
			"nor for one user":         {readerSecret, "publish-to-user", `{"user":"ann","data":1}`, 403},
			"nor end sessions":         {readerSecret, "end-sessions", `{"user":"ann"}`, 403},
			"nor read something else":  {readerSecret, "history", `{"topic":"u"}`, 403},
			"none for what is nowhere": {"", "nothing", `{}`, 404},
		} {
			if status, got, header := post(h, tt.secret, tt.operation, tt.body); status != tt.status || (header.Get("WWW-Authenticate") != "") != (status == 401) {
				t.Errorf("%s: %d %s", name, status, got)
			}
		}
		h.SetKeys(NewKeys(reader))
		if status, _, _ := post(h, secret, "publish", `{"topic":"t","data":1}`); status != 401 {
			t.Errorf("a key that was withdrawn: %d", status)
		}
	})
	t.Run("with no options nobody may call", func(t *testing.T) {
		if status, _, _ := post(NewHandler(b, nil), secret, "publish", `{"topic":"t","data":1}`); status != 401 {
			t.Errorf("%d", status)
		}
	})
	t.Run("only by POST", func(t *testing.T) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", Path+"publish", nil))
		if w.Code != 405 || w.Header().Get("Allow") != "POST" {
			t.Errorf("%d %v", w.Code, w.Header())
		}
	})
	t.Run("pages of other origins may not", func(t *testing.T) {
		h := NewHandler(b, &Options{Open: true})
		for origin, status := range map[string]int{"": 200, "http://example.com": 200, "https://evil.example": 403, "null": 403} {
			r := httptest.NewRequest("POST", "http://example.com/api/publish", strings.NewReader(`{"topic":"t","data":1}`))
			if origin != "" {
				r.Header.Set("Origin", origin)
			}
			w := httptest.NewRecorder()
			if h.ServeHTTP(w, r); w.Code != status {
				t.Errorf("from %q: got %d %s", origin, w.Code, w.Body)
			}
		}
	})
}

func TestKeysThatHurry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bus.New(nil)
		hasty, secret := key(t, "hasty", "publish on *")
		other, otherSecret := key(t, "other", "publish on *")
		h := NewHandler(b, &Options{Keys: NewKeys(hasty, other), Rate: 2})
		publish := func(secret string) int {
			status, got, header := post(h, secret, "publish", `{"topic":"t","data":1}`)
			if status == 429 && (header.Get("Retry-After") == "" || got != refused("too-fast", "this key publishes too fast")) {
				t.Errorf("%s %v", got, header)
			}
			return status
		}
		for i, want := range []int{200, 200, 429} {
			if got := publish(secret); got != want {
				t.Errorf("message %d: %d", i, got)
			}
		}
		if got := publish(otherSecret); got != 200 {
			t.Errorf("another key: %d", got)
		}
		time.Sleep(time.Second / 2)
		if got := publish(secret); got != 200 {
			t.Errorf("later: %d", got)
		}
		time.Sleep(time.Hour)
		if status, _, _ := post(h, secret, "publish", `{"topics":["a","b","c","d","e","f"],"data":1}`); status != 200 {
			t.Errorf("a batch: %d", status)
		}
		time.Sleep(2 * time.Second)
		if got := publish(secret); got != 429 {
			t.Errorf("soon after it: %d", got)
		}
		time.Sleep(time.Second)
		if got := publish(secret); got != 200 {
			t.Errorf("a while after it: %d", got)
		}
		b.EndSessions(t.Context(), "", "", "")
	})
}

// Sessions of a user are seen, named as in logs, and ended.
func TestSessionsOfAUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := auth.NewGuard(&auth.Options{})
		b := bus.New(&bus.Options{Guard: g})
		m := transport.NewManager(&transport.Options{Backend: b})
		defer m.Shutdown(context.Background())
		join := func(user string) *transport.Session {
			ctx := auth.NewContext(t.Context(), &auth.Principal{User: user})
			s, err := m.Create(ctx, transport.Params{Protocol: "push.v1", Wait: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Open(ctx, "", ""); err != nil {
				t.Fatal(err)
			}
			return s
		}
		first, second, other := join("ann"), join("ann"), join("bob")
		h := NewHandler(b, &Options{Open: true})
		_, got, _ := post(h, "", "sessions", `{"user":"ann"}`)
		want := fmt.Sprintf(`{"user":"ann","sessions":[{"session":%q,"protocol":"push.v1"},{"session":%q,"protocol":"push.v1"}]}`, first.LogID(), second.LogID())
		if got != want || strings.Contains(got, first.ID()) {
			t.Errorf("got %s", got)
		}
		_, got, _ = post(h, "", "end-sessions", fmt.Sprintf(`{"user":"ann","session":%q,"reason":"signed out"}`, first.LogID()))
		var end *transport.Termination
		if end, _ = first.Err().(*transport.Termination); got != `{"ended":1}` || end == nil || end.Text != "signed out" || end.Condition.Retry() || second.Err() != nil {
			t.Errorf("%s: %v, %v", got, first.Err(), second.Err())
		}
		if _, got, _ = post(h, "", "end-sessions", fmt.Sprintf(`{"user":"ann","session":%q}`, other.LogID())); got != `{"ended":0}` {
			t.Errorf("another's: %s", got)
		}
		if _, got, _ = post(h, "", "end-sessions", `{"user":"ann"}`); got != `{"ended":1}` || second.Err() == nil || other.Err() != nil {
			t.Errorf("all: %s", got)
		}
	})
}

// Sessions of a user are those at all processes that share the engine.
func TestSessionsElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var away error
		engine := bus.NewMemory(nil)
		buses := make([]*bus.Bus, 2)
		sessions := make([]*transport.Session, 2)
		for i := range buses {
			buses[i] = bus.New(&bus.Options{Engine: engine, Guard: auth.NewGuard(&auth.Options{}), Survey: func(_ context.Context, question []byte) ([][]byte, error) {
				return [][]byte{buses[1-i].Answer(question)}, away
			}})
			m := transport.NewManager(&transport.Options{Backend: buses[i]})
			defer m.Shutdown(context.Background())
			ctx := auth.NewContext(t.Context(), &auth.Principal{User: "ann"})
			var err error
			if sessions[i], err = m.Create(ctx, transport.Params{Protocol: "push.v1", Wait: time.Minute}); err != nil {
				t.Fatal(err)
			}
			if _, err := sessions[i].Open(ctx, "", ""); err != nil {
				t.Fatal(err)
			}
		}
		h := NewHandler(buses[0], &Options{Open: true})
		_, got, _ := post(h, "", "sessions", `{"user":"ann"}`)
		want := fmt.Sprintf(`{"user":"ann","sessions":[{"session":%q,"protocol":"push.v1"},{"session":%q,"protocol":"push.v1"}]}`, sessions[0].LogID(), sessions[1].LogID())
		if got != want {
			t.Errorf("got %s", got)
		}
		if there, err := buses[0].HasSession(t.Context(), "ann"); !there || err != nil {
			t.Errorf("she is there: %v, %v", there, err)
		}
		if there, err := buses[0].HasSession(t.Context(), "bob"); there || err != nil {
			t.Errorf("he is not: %v, %v", there, err)
		}
		_, got, _ = post(h, "", "end-sessions", fmt.Sprintf(`{"user":"ann","session":%q,"reason":"signed out"}`, sessions[1].LogID()))
		if end, _ := sessions[1].Err().(*transport.Termination); got != `{"ended":1}` || end == nil || end.Text != "signed out" || sessions[0].Err() != nil {
			t.Errorf("%s: %v, %v", got, sessions[0].Err(), end)
		}
		away = errors.New("one of them does not answer")
		for _, call := range []string{"sessions", "end-sessions"} {
			status, got, header := post(h, "", call, `{"user":"ann"}`)
			if status != http.StatusServiceUnavailable || !strings.Contains(got, `"unavailable"`) || header.Get("Retry-After") == "" {
				t.Errorf("%s: %d, %s, %v", call, status, got, header)
			}
		}
		if sessions[0].Err() == nil {
			t.Error("what could be ended was not")
		}
	})
}

func TestKeyFiles(t *testing.T) {
	k, secret := key(t, "shop", "publish history on chat/* $all")
	keys, err := ParseKeys("# keys\n\n" + k.String() + "\r\n")
	if err != nil {
		t.Fatal(err)
	}
	if found := keys.find(secret); found == nil || found.Name != "shop" || found.String() != k.String() {
		t.Errorf("found %v for %s", found, k)
	}
	if strings.Contains(k.String(), secret) || keys.find("") != nil {
		t.Error("the key stands in its file, or is none")
	}
	hash := strings.Fields(k.String())[1]
	for name, line := range map[string]string{
		"no hash":                    "shop publish on t",
		"a hash of another kind":     "shop md5:00 publish on t",
		"half a hash":                "shop " + hash[:30] + " publish on t",
		"too long a hash":            "shop " + hash + "00 publish on t",
		"no grants":                  "shop " + hash,
		"a capability that is none":  "shop " + hash + " fly on t",
		"one that only clients have": "shop " + hash + " subscribe on t",
		"no topics":                  "shop " + hash + " publish on",
		"the key itself":             "shop " + secret + " publish on t",
		"a name twice":               k.String() + "\n" + k.String(),
	} {
		if _, err := ParseKeys(line); err == nil || !strings.Contains(err.Error(), "line ") || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseKeys(f *testing.F) {
	k, _ := key(f, "shop", "publish history on chat/* $all")
	f.Add(k.String())
	f.Add("# nothing")
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := ParseKeys(text)
		if err != nil {
			return
		}
		for _, k := range keys.byHash {
			if again, err := ParseKeys(k.String()); err != nil || len(again.byHash) != 1 {
				t.Errorf("%q is written as %q: %v", text, k, err)
			}
		}
	})
}

// What an operation is given, however odd, is answered with JSON, and with a
// status that the description has.
func FuzzOperations(f *testing.F) {
	h := NewHandler(bus.New(nil), &Options{Open: true})
	for name := range operations {
		f.Add(name, `{"topic":"t","user":"u","data":1,"messages":[{"topic":"t","data":1}],"since":{"epoch":"x","offset":1}}`)
	}
	f.Fuzz(func(t *testing.T, name, body string) {
		if operations[name] == nil {
			return
		}
		status, got, _ := post(h, "", name, body)
		if !json.Valid([]byte(got)) || status >= 500 && status != 503 {
			t.Errorf("%s %q: %d %s", name, body, status, got)
		}
	})
}

// pipe is a listener with one connection in memory.
type pipe struct{ conns chan net.Conn }

func (l pipe) Accept() (net.Conn, error) {
	if c, ok := <-l.conns; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (l pipe) Close() error   { close(l.conns); return nil }
func (l pipe) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func TestSlowBody(t *testing.T) {
	for _, tt := range []struct {
		name   string
		pause  time.Duration
		status int
	}{
		{"a body within BodyTimeout is taken", 10*time.Second - 1, 200},
		{"a later one is slow", 10*time.Second + 1, 408},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server := net.Pipe()
				l := pipe{make(chan net.Conn, 1)}
				l.conns <- server
				s := &http.Server{Handler: NewHandler(bus.New(nil), &Options{Open: true})}
				go s.Serve(l)
				defer s.Close()
				var writer sync.WaitGroup
				defer writer.Wait()
				writer.Go(func() {
					fmt.Fprintf(client, "POST /api/publish HTTP/1.1\r\nHost: h\r\nContent-Length: 22\r\n\r\n{\"topic\":")
					time.Sleep(tt.pause)
					fmt.Fprintf(client, `"t","data":1}`)
				})
				r, err := http.ReadResponse(bufio.NewReader(client), nil)
				if err != nil {
					t.Fatal(err)
				}
				if r.StatusCode != tt.status || r.Close != (tt.status == 408) {
					t.Errorf("status %s, close %v", r.Status, r.Close)
				}
				client.Close()
			})
		})
	}
}

func TestCallsAreObserved(t *testing.T) {
	var told []string
	h := NewHandler(bus.New(nil), &Options{Open: true, Observe: func(c Call) {
		told = append(told, c.Operation+" "+string(c.Refused))
	}})
	post(h, "", "publish", `{"topic":"t","data":1}`)
	post(h, "", "publish", `{}`)
	post(h, "", "dance", `{}`)
	if got := strings.Join(told, ", "); got != "publish , publish bad-request, other not-found" {
		t.Errorf("told %q", got)
	}
}
