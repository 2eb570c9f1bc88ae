package sse_test

import (
	"io"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mochibosh/mochibosh/internal/pushtest"
	"github.com/mochibosh/mochibosh/transport/push"
)

var bubble = pushtest.Bubble

// want reads the next event and compares it.
func want(t *testing.T, e *pushtest.Events, rule, id string, messages ...string) pushtest.Object {
	t.Helper()
	gotID, o, err := e.Next()
	if err != nil || gotID != id || !slices.Equal(o.Strings(), messages) {
		t.Errorf("%s: got id %q, messages %v, %v; want %q, %v", rule, gotID, o.Strings(), err, id, messages)
	}
	return o
}

func TestStream(t *testing.T) {
	t.Run("the first event comes at once, with the numbers", bubble(func(t *testing.T) {
		s := pushtest.Start(t, pushtest.Options{}).Create()
		s.Post(`"first":1,"messages":["before"]`)
		synctest.Wait()
		start := time.Now()
		e := s.Events(`"attach":1`)
		o := want(t, e, "what is owed comes first", "1", `"before"`)
		if o.Ack != 1 || o.First != 1 || time.Since(start) != 0 {
			t.Errorf("got %+v after %v", o, time.Since(start))
		}
		h := e.Response.Header
		if h.Get("Content-Type") != "text/event-stream" || h.Get("Cache-Control") != "no-store" || h.Get("X-Accel-Buffering") != "no" {
			t.Errorf("headers %v", h)
		}
	}))
	t.Run("messages come as they are sent; the id is the last one's number", bubble(func(t *testing.T) {
		s := pushtest.Start(t, pushtest.Options{}).Create()
		e := s.Events(`"attach":1`)
		want(t, e, "nothing yet", "")
		s.Post(`"first":1,"messages":["a"]`)
		want(t, e, "one", "1", `"a"`)
		s.Post(`"first":2,"messages":["b"]`)
		want(t, e, "two", "2", `"b"`)
	}))
	t.Run("silence is broken by a sign of life", bubble(func(t *testing.T) {
		s := pushtest.Start(t, pushtest.Options{}).Create()
		e := s.Events(`"attach":1`)
		want(t, e, "the start", "")
		start := time.Now()
		want(t, e, "a ping", "")
		if waited := time.Since(start); waited != push.DefaultPing {
			t.Errorf("after %v", waited)
		}
	}))
	t.Run("what was not acknowledged comes again on the next stream", bubble(func(t *testing.T) {
		s := pushtest.Start(t, pushtest.Options{}).Create()
		e := s.Events(`"attach":1`)
		want(t, e, "the start", "")
		s.Post(`"first":1,"messages":["a","b"]`)
		synctest.Wait()
		e.Close()
		o := want(t, s.Events(`"attach":2,"ack":1`), "the rest", "2", `"b"`)
		if o.First != 2 {
			t.Errorf("first is %d", o.First)
		}
	}))
	t.Run("line breaks between tokens do not break the event", bubble(func(t *testing.T) {
		s := pushtest.Start(t, pushtest.Options{}).Create()
		e := s.Events(`"attach":1`)
		want(t, e, "the start", "")
		s.Post("\"first\":1,\"messages\":[{\"a\":\n\n1,\r\n\"b\":2}]")
		want(t, e, "one event", "1", `{"a":  1,  "b":2}`)
	}))
	t.Run("a newer connection replaces it", bubble(func(t *testing.T) {
		s := pushtest.Start(t, pushtest.Options{}).Create()
		e := s.Events(`"attach":1`)
		want(t, e, "the start", "")
		s.Post(`"attach":2,"wait":0`)
		if o := want(t, e, "the news", ""); !o.Replaced {
			t.Errorf("got %+v", o)
		}
		if _, _, err := e.Next(); err != io.EOF {
			t.Errorf("the stream goes on: %v", err)
		}
	}))
	t.Run("the end of the session ends it", bubble(func(t *testing.T) {
		s := pushtest.Start(t, pushtest.Options{}).Create()
		e := s.Events(`"attach":1`)
		want(t, e, "the start", "")
		s.Post(`"end":true`)
		if o := want(t, e, "the news", ""); o.End == nil || o.End.Code != "normal" {
			t.Errorf("got %+v", o)
		}
	}))
	t.Run("as long as it is open the session lives, and not much longer", bubble(func(t *testing.T) {
		server := pushtest.Start(t, pushtest.Options{})
		s := server.Create()
		e := s.Events(`"attach":1`)
		go io.Copy(io.Discard, e.Response.Body)
		time.Sleep(10 * time.Minute)
		live, err := server.Manager.Lookup(t.Context(), s.ID)
		if err != nil || live.Err() != nil {
			t.Fatalf("%v %v", err, live)
		}
		e.Close()
		time.Sleep(time.Minute)
		synctest.Wait()
		if live.Err() == nil {
			t.Error("it outlives its stream and its inactivity")
		}
	}))
}

func TestTicket(t *testing.T) {
	open := func(s *pushtest.Server, query string) (int, string) {
		resp, o := s.Do(s.Request("GET", "/push/sse"+query, ""))
		if o.Error == nil {
			return resp.StatusCode, ""
		}
		return resp.StatusCode, o.Error.Code
	}
	refused := func(name string, status int, code string, query func(s pushtest.Session) string) {
		t.Run(name, bubble(func(t *testing.T) {
			server := pushtest.Start(t, pushtest.Options{})
			if gotStatus, gotCode := open(server, query(server.Create())); gotStatus != status || gotCode != code {
				t.Errorf("got %d %s, want %d %s", gotStatus, gotCode, status, code)
			}
		}))
	}
	refused("is good for one stream", http.StatusConflict, "replaced", func(s pushtest.Session) string {
		ticket := s.Ticket(`"attach":1`)
		s.Post(`"attach":1,"wait":0`) // somebody came first
		return "?ticket=" + ticket
	})
	refused("is good for half a minute", http.StatusForbidden, "forbidden", func(s pushtest.Session) string {
		ticket := s.Ticket(`"attach":1`)
		time.Sleep(31 * time.Second)
		return "?ticket=" + ticket
	})
	refused("cannot be altered", http.StatusForbidden, "forbidden", func(s pushtest.Session) string {
		return "?ticket=9" + s.Ticket(`"attach":1`)
	})
	refused("of one session is not good for another", http.StatusForbidden, "forbidden", func(s pushtest.Session) string {
		return "?ticket=1.0.99999999999." + s.ID + ".AAAA"
	})
	refused("must look like one", http.StatusForbidden, "forbidden", func(pushtest.Session) string { return "?ticket=x" })
	refused("is needed, where there is no key", http.StatusForbidden, "forbidden", func(s pushtest.Session) string {
		return "?session=" + s.ID + "&attach=1"
	})
	refused("cannot ask for what was released", http.StatusGone, "gone", func(s pushtest.Session) string {
		s.Post(`"first":1,"messages":["a"]`)
		synctest.Wait()
		s.Post(`"attach":1,"ack":1,"wait":0`)
		return "?ticket=" + s.Ticket(`"attach":2`)
	})
	refused("cannot acknowledge what was never sent", http.StatusConflict, "ahead", func(s pushtest.Session) string {
		return "?ticket=" + s.Ticket(`"attach":1,"ack":5`)
	})

	t.Run("clients that can set headers do without", bubble(func(t *testing.T) {
		server := pushtest.Start(t, pushtest.Options{})
		s := server.Create()
		s.Post(`"first":1,"messages":["a","b"]`)
		synctest.Wait()
		r := server.Request("GET", "/push/sse?attach=1&session="+s.ID, "")
		r.Header.Set("Authorization", "Bearer "+s.Key)
		r.Header.Set("Last-Event-ID", "1")
		resp, err := server.Client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		buf := make([]byte, 200)
		n, _ := resp.Body.Read(buf)
		if got, want := string(buf[:n]), "id: 2\ndata: {\"ack\":2,\"first\":2,\"messages\":[\"b\"]}\n\n"; got != want {
			t.Errorf("got %q", got)
		}
	}))
}
