package websocket_test

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gorilla "github.com/gorilla/websocket"

	"github.com/mochibosh/mochibosh/internal/pushtest"
	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/transport/push"
)

var bubble = pushtest.Bubble

// want reads the next object and compares its messages.
func want(t *testing.T, ws *pushtest.Socket, rule string, messages ...string) pushtest.Object {
	t.Helper()
	o, err := ws.Next()
	if err != nil || !slices.Equal(o.Strings(), messages) {
		t.Errorf("%s: got messages %v, %v; want %v", rule, o.Strings(), err, messages)
	}
	return o
}

func TestSocket(t *testing.T) {
	t.Run("the first object may create a session", bubble(func(t *testing.T) {
		ws := pushtest.Start(t, pushtest.Options{}).WebSocket()
		ws.Send(`{"messages":["a"]}`)
		if o := want(t, ws, "the creation"); o.Session == "" || o.Key == "" || o.Ack != 1 || o.First != 1 {
			t.Errorf("got %+v", o)
		}
		want(t, ws, "the echo", `"a"`)
	}))
	t.Run("or name one", bubble(func(t *testing.T) {
		s := pushtest.Start(t, pushtest.Options{}).Create()
		s.Post(`"first":1,"messages":["a","b"]`)
		synctest.Wait()
		ws := s.WebSocket(`"attach":1,"ack":1`)
		if o := want(t, ws, "what is owed", `"b"`); o.Ack != 2 || o.First != 2 {
			t.Errorf("got %+v", o)
		}
	}))
	t.Run("messages may come with it, and are acknowledged in the answer", bubble(func(t *testing.T) {
		silent := transport.Serve(func(_ context.Context, _ *transport.Stream, in <-chan []byte) error {
			for range in {
			}
			return nil
		})
		s := pushtest.Start(t, pushtest.Options{Backend: silent}).Create()
		ws := s.WebSocket(`"attach":1,"messages":["a","b"]`)
		if o := want(t, ws, "the start"); o.Ack != 2 || o.First != 1 {
			t.Errorf("got %+v", o)
		}
	}))
	t.Run("messages need no number, and are acknowledged", bubble(func(t *testing.T) {
		ws := pushtest.Start(t, pushtest.Options{}).Create().WebSocket(`"attach":1`)
		want(t, ws, "the start")
		ws.Send(`{"messages":["a","b"]}`)
		acked, got := uint64(0), []string(nil)
		for acked != 2 || len(got) < 2 {
			o, err := ws.Next()
			if err != nil {
				t.Fatal(err)
			}
			acked = max(acked, o.Ack)
			got = append(got, o.Strings()...)
		}
		if !slices.Equal(got, []string{`"a"`, `"b"`}) {
			t.Errorf("got %v", got)
		}
	}))
	t.Run("numbered messages may be repeated", bubble(func(t *testing.T) {
		ws := pushtest.Start(t, pushtest.Options{}).Create().WebSocket(`"attach":1`)
		want(t, ws, "the start")
		go func() {
			ws.Send(`{"first":1,"messages":["a"]}`)
			ws.Send(`{"first":1,"messages":["a"]}`)
			ws.Send(`{"first":2,"messages":["end"]}`)
		}()
		var got []string
		for !slices.Contains(got, `"end"`) {
			o, err := ws.Next()
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, o.Strings()...)
		}
		if !slices.Equal(got, []string{`"a"`, `"end"`}) {
			t.Errorf("got %v", got)
		}
	}))
	t.Run("acknowledged messages are not sent again, others are", bubble(func(t *testing.T) {
		s := pushtest.Start(t, pushtest.Options{}).Create()
		ws := s.WebSocket(`"attach":1`)
		want(t, ws, "the start")
		s.Post(`"first":1,"messages":["a","b"]`)
		for n := 0; n < 2; {
			o, err := ws.Next()
			if err != nil {
				t.Fatal(err)
			}
			n += len(o.Messages)
		}
		ws.Send(`{"ack":1}`)
		synctest.Wait()
		ws.Close()
		want(t, s.WebSocket(`"attach":2,"ack":1`), "the rest", `"b"`)
	}))
	t.Run("silence is broken by a sign of life", bubble(func(t *testing.T) {
		ws := pushtest.Start(t, pushtest.Options{}).Create().WebSocket(`"attach":1`)
		want(t, ws, "the start")
		start := time.Now()
		want(t, ws, "a ping")
		if waited := time.Since(start); waited != push.DefaultPing {
			t.Errorf("after %v", waited)
		}
	}))
	t.Run("a client whose pongs stay away is gone", bubble(func(t *testing.T) {
		server := pushtest.Start(t, pushtest.Options{})
		s := server.Create()
		ws := s.WebSocket(`"attach":1`)
		want(t, ws, "the start")
		ws.SetPingHandler(func(string) error { return nil })
		if code := ws.CloseCode(); code != 1001 {
			t.Errorf("closed with %d", code)
		}
	}))
	t.Run("a client that only listens, to steady traffic, is not", bubble(func(t *testing.T) {
		steady := transport.Serve(func(ctx context.Context, st *transport.Stream, in <-chan []byte) error {
			for n := range 300 {
				time.Sleep(time.Second)
				if err := st.Send(ctx, strconv.AppendInt(nil, int64(n), 10)); err != nil {
					return err
				}
			}
			return nil
		})
		ws := pushtest.Start(t, pushtest.Options{Backend: steady}).Create().WebSocket(`"attach":1`)
		for n := 0; n < 300; {
			o, err := ws.Next()
			if err != nil {
				t.Fatalf("cut after %d messages: %v", n, err)
			}
			n += len(o.Messages)
		}
	}))
	t.Run("a client that reads nothing is gone", bubble(func(t *testing.T) {
		server := pushtest.Start(t, pushtest.Options{})
		s := server.Create()
		s.WebSocket(`"attach":1`)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		live, err := server.Manager.Lookup(t.Context(), s.ID)
		if err != nil || live.Err() == nil {
			t.Errorf("the session lives on a dead socket: %v", err)
		}
	}))
	t.Run("a newer connection replaces it", bubble(func(t *testing.T) {
		s := pushtest.Start(t, pushtest.Options{}).Create()
		ws := s.WebSocket(`"attach":1`)
		want(t, ws, "the start")
		s.Post(`"attach":2,"wait":0`)
		if o := want(t, ws, "the news"); !o.Replaced {
			t.Errorf("got %+v", o)
		}
		if code := ws.CloseCode(); code != 4000 {
			t.Errorf("closed with %d", code)
		}
	}))
	t.Run("the session's end is told, and closes it", bubble(func(t *testing.T) {
		ws := pushtest.Start(t, pushtest.Options{}).Create().WebSocket(`"attach":1`)
		want(t, ws, "the start")
		ws.Send(`{"end":true}`)
		if o := want(t, ws, "the news"); o.End == nil || o.End.Code != "normal" {
			t.Errorf("got %+v", o)
		}
		if code := ws.CloseCode(); code != 1000 {
			t.Errorf("closed with %d", code)
		}
	}))
	t.Run("a server that goes down says so", bubble(func(t *testing.T) {
		server := pushtest.Start(t, pushtest.Options{})
		ws := server.Create().WebSocket(`"attach":1`)
		want(t, ws, "the start")
		go server.Manager.Shutdown(t.Context())
		if o := want(t, ws, "the news"); o.End == nil || o.End.Code != "shutdown" || !o.End.Retry {
			t.Errorf("got %+v", o)
		}
		if code := ws.CloseCode(); code != 1012 {
			t.Errorf("closed with %d", code)
		}
	}))
}

// A refusal is told in an object, where there is one to tell it in, and by the
// close code.
func TestRefusal(t *testing.T) {
	for _, test := range []struct {
		name  string
		first string
		code  string
		close int
	}{
		{"malformed JSON", `{`, "bad-request", 4400},
		{"not an object", `[]`, "bad-request", 4400},
		{"wrong type", `{"ack":"1"}`, "bad-request", 4400},
		{"S-07.4 unknown session", `{"session":"nope","key":"k","attach":1}`, "gone", 4410},
		{"wrong key", `{"session":"SESSION","key":"k","attach":1}`, "forbidden", 4403},
		{"no attach", `{"session":"SESSION","key":"KEY"}`, "bad-request", 4400},
		{"attach not above all before", `{"session":"SESSION","key":"KEY","attach":3}`, "replaced", 4000},
		{"cursor from the future", `{"session":"SESSION","key":"KEY","attach":9,"ack":7}`, "ahead", 4409},
		{"message above the window", `{"session":"SESSION","key":"KEY","attach":9,"first":999,"messages":[1]}`, "window", 4409},
		{"unknown backend", `{"to":"nowhere"}`, "not-found", 4404},
	} {
		t.Run(test.name, bubble(func(t *testing.T) {
			server := pushtest.Start(t, pushtest.Options{Backend: transport.Mux{"echo": pushtest.Echo}})
			_, o := server.Post("/push", `{"to":"echo"}`)
			server.Post("/push", `{"session":"`+o.Session+`","key":"`+o.Key+`","attach":3,"wait":0}`)
			ws := server.WebSocket()
			ws.Send(strings.NewReplacer("SESSION", o.Session, "KEY", o.Key).Replace(test.first))
			answer, err := ws.Next()
			if test.code == "window" && err == nil && answer.Error == nil {
				answer, err = ws.Next()
			}
			if err != nil || answer.Error == nil || answer.Error.Code != test.code || answer.Error.Message == "" {
				t.Errorf("got %+v, %v", answer.Error, err)
			}
			if code := ws.CloseCode(); code != test.close {
				t.Errorf("closed with %d", code)
			}
		}))
	}
	broken := func(name string, close int, send func(ws *pushtest.Socket)) {
		t.Run(name, bubble(func(t *testing.T) {
			ws := pushtest.Start(t, pushtest.Options{}).Create().WebSocket(`"attach":1`)
			want(t, ws, "the start")
			go send(ws)
			if code := ws.CloseCode(); code != close {
				t.Errorf("closed with %d", code)
			}
		}))
	}
	broken("binary message", 1003, func(ws *pushtest.Socket) { ws.WriteMessage(gorilla.BinaryMessage, []byte("{}")) })
	broken("invalid UTF-8", 1007, func(ws *pushtest.Socket) { ws.WriteMessage(gorilla.TextMessage, []byte("{\"a\":\"\xff\"}")) })
	broken("oversized message", 1009, func(ws *pushtest.Socket) {
		ws.WriteMessage(gorilla.TextMessage, []byte(`{"messages":["`+strings.Repeat("x", push.DefaultMaxBody)+`"]}`))
	})
	broken("malformed message", 4400, func(ws *pushtest.Socket) { ws.WriteMessage(gorilla.TextMessage, []byte(`{"messages":}`)) })

	t.Run("slow first message", bubble(func(t *testing.T) {
		ws := pushtest.Start(t, pushtest.Options{}).WebSocket()
		start := time.Now()
		if o := want(t, ws, "the refusal"); o.Error == nil || o.Error.Code != "slow" || time.Since(start) != push.DefaultBodyTimeout {
			t.Errorf("got %+v after %v", o.Error, time.Since(start))
		}
		if code := ws.CloseCode(); code != 4408 {
			t.Errorf("closed with %d", code)
		}
	}))
}

func TestHandshake(t *testing.T) {
	for _, test := range []struct {
		name      string
		origin    string
		protocols []string
		status    int
	}{
		{"from no page", "", []string{"push.v1"}, http.StatusSwitchingProtocols},
		{"from our own page", "https://push.test", []string{"push.v1"}, http.StatusSwitchingProtocols},
		{"from an allowed page", "https://chat.example", []string{"push.v1"}, http.StatusSwitchingProtocols},
		{"from any other page", "https://evil.example", []string{"push.v1"}, http.StatusForbidden},
		{"from a page without origin", "null", []string{"push.v1"}, http.StatusForbidden},
		{"among several subprotocols", "", []string{"xmpp", "push.v1"}, http.StatusSwitchingProtocols},
		{"without the subprotocol", "", nil, http.StatusBadRequest},
		{"with another subprotocol", "", []string{"mqtt"}, http.StatusBadRequest},
	} {
		t.Run(test.name, bubble(func(t *testing.T) {
			server := pushtest.Start(t, pushtest.Options{Push: push.Options{Origins: []string{"https://chat.example"}}})
			h := http.Header{}
			if test.origin != "" {
				h.Set("Origin", test.origin)
			}
			ws, resp, err := server.DialWebSocket(h, test.protocols...)
			if resp == nil || resp.StatusCode != test.status {
				t.Fatalf("got %v, %v", resp, err)
			}
			if err == nil {
				if got := ws.Subprotocol(); got != "push.v1" {
					t.Errorf("subprotocol %q", got)
				}
				ws.Close()
			}
		}))
	}
	t.Run("a plain request is told what this is for", bubble(func(t *testing.T) {
		server := pushtest.Start(t, pushtest.Options{})
		resp, o := server.Do(server.Request("GET", "/push/ws", ""))
		if resp.StatusCode != http.StatusBadRequest || o.Error.Code != "bad-request" {
			t.Errorf("got %d %+v", resp.StatusCode, o.Error)
		}
	}))
}

// Two clients get the same message, one of them compressed.
func TestCompression(t *testing.T) {
	t.Run("of what is long enough, for clients that can", bubble(func(t *testing.T) {
		server := pushtest.Start(t, pushtest.Options{Compression: true})
		long := strings.Repeat("message ", 1000)
		for _, can := range []bool{true, false} {
			d := gorilla.Dialer{
				NetDialContext:    func(context.Context, string, string) (net.Conn, error) { return server.Dial(), nil },
				Subprotocols:      []string{push.Protocol},
				EnableCompression: can,
			}
			ws, resp, err := d.Dial("ws://push.test/push/ws", nil)
			if err != nil {
				t.Fatal(err)
			}
			defer ws.Close()
			if agreed := resp.Header.Get("Sec-Websocket-Extensions") != ""; agreed != can {
				t.Errorf("agreed: %v", agreed)
			}
			ws.WriteMessage(gorilla.TextMessage, []byte(`{"messages":["`+long+`","short"]}`))
			got := ""
			for !strings.Contains(got, `"short"`) {
				_, data, err := ws.ReadMessage()
				if err != nil {
					t.Fatal(err)
				}
				got += string(data)
			}
			if !strings.Contains(got, `"`+long+`"`) {
				t.Errorf("got %.100s", got)
			}
		}
	}))
}
