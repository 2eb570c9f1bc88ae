package webpush

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
)

func TestHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, Options{})
		h := NewHandler(s.pusher, HandlerOptions{Guard: s.guard, Origins: []string{"https://app.example"}})
		subscription := func(topics ...string) string {
			body, err := json.Marshal(newBrowser(t).subscription("https://fcm.googleapis.com/send/ben", topics...))
			if err != nil {
				t.Fatal(err)
			}
			return string(body)
		}
		for _, tt := range []struct {
			name, method, token, body string
			status                    int
			answer                    string
		}{
			{"the key", "GET", "", "", 200, `{"key":"` + s.keys.Public() + `"}`},
			{"nobody", "POST", "", subscription(), 401, `"code":"unauthorized"`},
			{"a user", "POST", "ben", subscription(), 200, "{}"},
			{"a topic that may be subscribed to", "POST", "ben", subscription("t"), 200, "{}"},
			{"another", "POST", "ben", subscription("secret"), 403, `"code":"forbidden"`},
			{"another's", "POST", "ben", subscription("$user/ann"), 403, `"code":"forbidden"`},
			{"no JSON", "POST", "ben", "{", 400, `"the body is no subscription in JSON"`},
			{"a place that is not allowed", "POST", "ben", strings.ReplaceAll(subscription(), "fcm.googleapis.com", "localhost"), 403, `"endpoint is of no push service that is allowed"`},
			{"a long story", "POST", "ben", strings.Repeat(" ", maxRequest+1), 413, `"code":"too-big"`},
			{"another method", "PUT", "ben", "", 405, `"code":"method-not-allowed"`},
		} {
			r := httptest.NewRequest(tt.method, "/push/web", strings.NewReader(tt.body))
			r.Header.Set("Origin", "https://app.example")
			if tt.token != "" {
				r.Header.Set("Authorization", "Bearer "+tt.token)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.answer) || w.Header().Get("Access-Control-Allow-Origin") == "" {
				t.Errorf("%s: %d %s %v", tt.name, w.Code, w.Body, w.Header())
			}
		}
		if got := shown(t, s.pusher.opts.Store); got != "ann:"+endpoint+" ben:https://fcm.googleapis.com/send/ben [ann ben]" {
			t.Errorf("kept %s", got)
		}
		for token, want := range map[string]string{"ann": "[ann ben]", "ben": "[ann]"} { // only one's own
			r := httptest.NewRequest("DELETE", "/push/web", strings.NewReader(`{"endpoint":"https://fcm.googleapis.com/send/ben"}`))
			r.Header.Set("Authorization", "Bearer "+token)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if got := shown(t, s.pusher.opts.Store); w.Code != 200 || token == "ben" && !strings.HasSuffix(got, want) {
				t.Errorf("%s: %d, kept %s", token, w.Code, got)
			}
		}
		r := httptest.NewRequest("GET", "/push/web", nil)
		r.Header.Set("Origin", "https://other.example")
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != 403 {
			t.Errorf("another origin: %d", w.Code)
		}
	})
}
