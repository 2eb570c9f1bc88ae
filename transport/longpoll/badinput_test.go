package longpoll_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mochibosh/mochibosh/internal/pushtest"
	"github.com/mochibosh/mochibosh/transport/push"
)

// Every request that is wrong gets a specific refusal, and another session of
// the same server notices nothing. The event stream's POST reads objects in
// the same way, so both addresses are tried.
func TestBadInput(t *testing.T) {
	for _, test := range []struct {
		name    string
		body    string // SESSION and KEY are those of a live session
		status  int
		code    string
		message string // part of it
	}{
		{"empty body", ``, 400, "bad-request", "not JSON"},
		{"malformed JSON", `{"session":`, 400, "bad-request", "not JSON"},
		{"trailing data", `{"session":"SESSION","key":"KEY"} {}`, 400, "bad-request", "not JSON"},
		{"null", `null`, 400, "bad-request", "not a JSON object"},
		{"array", `[]`, 400, "bad-request", "array"},
		{"string", `"x"`, 400, "bad-request", "string"},
		{"deep nesting", `{"messages":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, 400, "bad-request", "too deep"},
		{"invalid UTF-8", "{\"session\":\"\xff\"}", 400, "bad-request", "UTF-8"},
		{"number for a string", `{"session":1}`, 400, "bad-request", `"session" cannot be a number`},
		{"string for a number", `{"session":"SESSION","key":"KEY","attach":"1"}`, 400, "bad-request", `"attach" cannot be a string`},
		{"negative number", `{"session":"SESSION","key":"KEY","attach":-1}`, 400, "bad-request", `"attach" cannot be a number -1`},
		{"fraction", `{"session":"SESSION","key":"KEY","ack":1.5}`, 400, "bad-request", `"ack" cannot be a number 1.5`},
		{"number above 2^53", `{"session":"SESSION","key":"KEY","attach":9007199254740992}`, 400, "bad-request", "2^53"},
		{"huge number", `{"session":"SESSION","key":"KEY","attach":1e400}`, 400, "bad-request", `"attach"`},
		{"object for messages", `{"session":"SESSION","key":"KEY","first":1,"messages":{}}`, 400, "bad-request", `"messages" cannot be a object`},
		{"negative wait", `{"session":"SESSION","key":"KEY","attach":1,"wait":-1}`, 400, "bad-request", `"wait"`},
		{"oversized body", `{"x":"` + strings.Repeat("x", push.DefaultMaxBody) + `"}`, 413, "too-big", "262144"},
		{"unknown session", `{"session":"nope","key":"KEY","attach":1}`, 410, "gone", "no such session"},
		{"wrong key", `{"session":"SESSION","key":"nope","attach":1}`, 403, "forbidden", "key"},
		{"no key", `{"session":"SESSION","attach":1}`, 403, "forbidden", "key"},
	} {
		for _, path := range []string{"/push", "/push/sse"} {
			t.Run(test.name+" at "+path, bubble(func(t *testing.T) {
				server := pushtest.Start(t, pushtest.Options{})
				s, bystander := server.Create(), server.Create()
				held := make(chan pushtest.Object, 1)
				go func() { held <- bystander.Post(`"attach":1`) }()

				body := strings.NewReplacer("SESSION", s.ID, "KEY", s.Key).Replace(test.body)
				resp, o := server.Do(server.Request("POST", path, body))
				if resp.StatusCode != test.status || o.Error == nil || o.Error.Code != test.code || !strings.Contains(o.Error.Message, test.message) {
					t.Errorf("got %d %+v", resp.StatusCode, o.Error)
				}
				if got := resp.Header.Get("Cache-Control"); got != "no-store" {
					t.Errorf("Cache-Control: %s", got)
				}
				s.Post(`"first":1,"messages":["well"]`)
				bystander.Post(`"first":1,"messages":["well"]`)
				wantMessages(t, "the bystander", <-held, 1, `"well"`)
				wantMessages(t, "the session itself", s.Post(`"attach":1`), 1, `"well"`)
			}))
		}
	}
}

func TestBadNumbers(t *testing.T) {
	for _, test := range []struct {
		name, members string
		status        int
		code          string
	}{
		{"messages without first", `"messages":[1]`, 400, "bad-request"},
		{"message above the window", `"first":1000,"messages":[1]`, 409, "window"},
		{"acknowledgement of what was never sent", `"ack":3`, 409, "ahead"},
		{"cursor from the future", `"attach":9,"ack":3`, 409, "ahead"},
		{"cursor below what was released", `"attach":9`, 410, "gone"},
	} {
		t.Run(test.name, bubble(func(t *testing.T) {
			server := pushtest.Start(t, pushtest.Options{})
			s := server.Create()
			s.Post(`"first":1,"messages":["a","b"],"attach":1`)
			s.Post(`"attach":2,"ack":1`)
			status, o := server.Post("/push", s.Object(test.members))
			if status != test.status || o.Error == nil || o.Error.Code != test.code {
				t.Errorf("got %d %+v", status, o.Error)
			}
			wantMessages(t, "the session goes on", s.Post(`"attach":10,"ack":1`), 2, `"b"`)
		}))
	}
	for name, body := range map[string]string{
		"creation with an acknowledgement": `{"ack":1}`,
		"creation in the middle":           `{"first":2,"messages":[1]}`,
		"creation above the window":        `{"messages":[` + strings.Repeat("1,", 300) + `1]}`,
	} {
		t.Run(name, bubble(func(t *testing.T) {
			server := pushtest.Start(t, pushtest.Options{Push: push.Options{Window: 1}})
			status, o := server.Post("/push", body)
			if name == "creation above the window" {
				// All are in order, so all fit: the window is about gaps.
				if status != http.StatusCreated {
					t.Errorf("got %d %+v", status, o.Error)
				}
				return
			}
			if status != 400 || o.Error.Code != "bad-request" {
				t.Errorf("got %d %+v", status, o.Error)
			}
		}))
	}
}

func TestMethodsAndOrigins(t *testing.T) { synctest.Test(t, methodsAndOrigins) }

func methodsAndOrigins(t *testing.T) {
	do := func(method, path, origin string) (*http.Response, pushtest.Object) {
		server := pushtest.Start(t, pushtest.Options{Push: push.Options{Origins: []string{"https://chat.example"}}})
		r := server.Request(method, path, "{}")
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		return server.Do(r)
	}
	for path, allow := range map[string]string{"/push": "POST, OPTIONS", "/push/sse": "POST, GET, OPTIONS"} {
		for _, method := range []string{"PUT", "DELETE", "PATCH"} {
			resp, o := do(method, path, "")
			if resp.StatusCode != 405 || o.Error.Code != "method-not-allowed" || resp.Header.Get("Allow") != allow {
				t.Errorf("%s %s: got %d, Allow: %s", method, path, resp.StatusCode, resp.Header.Get("Allow"))
			}
		}
	}
	for _, test := range []struct {
		origin  string
		status  int
		allowed string
	}{
		{"", 201, ""},
		{"http://push.test", 201, "http://push.test"},
		{"https://chat.example", 201, "https://chat.example"},
		{"https://chat.example.evil", 403, ""},
		{"http://chat.example", 403, ""},
		{"null", 403, ""},
	} {
		resp, o := do("POST", "/push", test.origin)
		h := resp.Header
		if resp.StatusCode != test.status || h.Get("Access-Control-Allow-Origin") != test.allowed || h.Get("Vary") != "Origin" {
			t.Errorf("origin %q: got %d, %v", test.origin, resp.StatusCode, h)
		}
		if test.status == 403 && o.Error.Code != "forbidden" {
			t.Errorf("origin %q: got %+v", test.origin, o.Error)
		}
		resp, _ = do("OPTIONS", "/push", test.origin)
		if h := resp.Header; resp.StatusCode != 204 || h.Get("Access-Control-Allow-Origin") != test.allowed {
			t.Errorf("preflight from %q: got %d, %v", test.origin, resp.StatusCode, h)
		}
	}
}

func TestSlowBody(t *testing.T) {
	t.Run("is cut after its time, and told so", bubble(func(t *testing.T) {
		server := pushtest.Start(t, pushtest.Options{})
		c := server.Dial()
		defer c.Close()
		start := time.Now()
		go fmt.Fprint(c, "POST /push HTTP/1.1\r\nHost: push.test\r\nContent-Length: 100\r\n\r\n{\"to\":")
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != 408 || !strings.Contains(string(body), `"slow"`) || time.Since(start) != push.DefaultBodyTimeout {
			t.Errorf("got %s %s after %v", resp.Status, body, time.Since(start))
		}
	}))
	t.Run("does not count while a poll is held", bubble(func(t *testing.T) {
		s := pushtest.Start(t, pushtest.Options{}).Create()
		start := time.Now()
		s.Post(`"attach":1`)
		if held := time.Since(start); held != push.DefaultWait {
			t.Errorf("held for %v", held)
		}
	}))
}
