package main

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/backends/bus/webpush"
)

func startChat(t *testing.T, away webpush.Options) *chat {
	t.Helper()
	c, err := newChat(slog.New(slog.DiscardHandler), away)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Somebody has notifications on and closes the page: what is written in the room comes
// by their push service, once; what is written while they are there does not, and
// neither does anything when they are off again.
func TestNotificationsOfWhoIsAway(t *testing.T) {
	came := make(chan *http.Request, 10)
	service := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		came <- r
		w.WriteHeader(http.StatusCreated)
	}))
	defer service.Close()
	roots := x509.NewCertPool()
	roots.AddCert(service.Certificate())
	c := startChat(t, webpush.Options{Hosts: []string{"*"}, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, RootCAs: roots})
	c.herald.after = 0.5
	server := httptest.NewServer(c)
	defer server.Close()
	defer c.manager.Shutdown(t.Context())

	say := func(method, path, body string) map[string]any {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer of Ann's browser")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var answer map[string]any
		if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode >= 300 {
			t.Fatal(path, resp.StatusCode, answer, err)
		}
		return answer
	}
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	subscription, err := json.Marshal(map[string]any{
		"endpoint": service.URL + "/ann", "topics": []string{"away/tea"},
		"keys": map[string]string{"p256dh": encode(key.PublicKey().Bytes()), "auth": encode(make([]byte, 16))},
	})
	if err != nil {
		t.Fatal(err)
	}
	say("POST", "/push/web", string(subscription))
	publish := func(text string) {
		say("POST", "/api/publish", `{"topic":"room/tea","data":{"name":"Ben","text":"`+text+`"}}`)
	}

	publish("are you there?")
	select {
	case r := <-came:
		if r.URL.Path != "/ann" || !strings.HasPrefix(r.Header.Get("Authorization"), "vapid t=") || r.Header.Get("Content-Encoding") != "aes128gcm" {
			t.Errorf("%s %v", r.URL, r.Header)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("nothing comes")
	}

	// The page is open, and acknowledges.
	created := say("POST", "/push", `{"token":"of Ann's browser","messages":[{"op":"subscribe","topic":"away/tea"}]}`)
	name := `"session":"` + created["session"].(string) + `","key":"` + created["key"].(string) + `"`
	say("POST", "/push", `{`+name+`,"attach":1,"ack":0}`)
	publish("good that you are")
	for ack, attach := 1, 2; ack < 2; attach++ {
		a := say("POST", "/push", `{`+name+`,"attach":`+string(rune('0'+attach))+`,"ack":1}`)
		if messages, _ := a["messages"].([]any); len(messages) > 0 {
			ack += len(messages)
		}
	}
	say("POST", "/push", `{`+name+`,"ack":2}`)
	waitUntil(t, func() bool { return c.herald.pusher.Waiting() == 0 })

	say("POST", "/push", `{`+name+`,"end":true}`)
	say("DELETE", "/push/web", `{"endpoint":"`+service.URL+`/ann"}`)
	publish("nobody is told")
	waitUntil(t, func() bool { return c.herald.pusher.Waiting() == 0 })
	if n := len(came); n != 0 {
		t.Errorf("%d notifications more came", n)
	}
}

func waitUntil(t *testing.T, so func() bool) {
	t.Helper()
	for began := time.Now(); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			t.Fatal("it does not become so")
		}
	}
}
