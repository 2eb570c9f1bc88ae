package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	natsd "github.com/nats-io/nats-server/v2/server"
)

// What cannot work is told before anything is begun.
func TestNATSSettings(t *testing.T) {
	for want, args := range map[string][]string{
		"":                    {"--nats=nats://127.0.0.1:4222", "--node=n1"},
		"node:":               {"--nats=nats://127.0.0.1:4222"},
		"is no name":          {"--nats=nats://127.0.0.1:4222", "--node=n 1"},
		"durability:":         {"--nats=nats://127.0.0.1:4222", "--node=n1", "--state-dir=/tmp/x", "--durability=exchange"},
		"embedded and others": {"--nats=embedded", "--nats=nats://127.0.0.1:4222", "--node=n1", "--state-dir=/tmp/x"},
		"needs state-dir":     {"--nats=embedded", "--node=n1"},
		"nats=embedded":       {"--nats=nats://127.0.0.1:4222", "--node=n1", "--nats-routes=127.0.0.1:1"},
		"nats-cluster-listen": {"--nats=embedded", "--node=n1", "--state-dir=/tmp/x", "--nats-routes=127.0.0.1:1"},
		"nats-cluster-secret": {"--nats=embedded", "--node=n1", "--state-dir=/tmp/x", "--nats-cluster-listen=192.0.2.1:6222"},
		"node-timeout":        {"--nats=nats://127.0.0.1:4222", "--node=n1", "--node-timeout=10ms"},
	} {
		in, err := parse(append([]string{"serve"}, args...))
		if err == nil {
			err = in.validate()
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: got %v, want %q", args, err, want)
		}
	}
}

// One server with NATS within keeps topics and sessions over a restart, and over an
// end without notice.
func TestNATSWithin(t *testing.T) {
	args := []string{"--nats=embedded", "--node=n1", "--state-dir=" + t.TempDir(), "--shutdown-spread=0s"}
	p := start(t, args...)
	s := newPush(t, p)
	if !strings.HasSuffix(s.session, ".n1") {
		t.Errorf("the session does not tell whose it is: %s", s.session)
	}
	s.post(`"first":1,"messages":[{"op":"subscribe","topic":"t"},{"op":"publish","topic":"t","data":"one"}]`).wantStatus(t, 200)
	p.signal(syscall.SIGKILL)
	<-p.exited

	p = start(t, args...)
	s.url = p.url
	s.post(`"first":3,"messages":[{"op":"publish","topic":"t","data":"two"}]`).wantStatus(t, 200)
	p.signal(syscall.SIGTERM)
	p.wantExit(0)

	p = start(t, args...)
	s.url = p.url
	if all := call(t, "GET", p.url+"/metrics", "").body; !strings.Contains(all, "mochibosh_node_peers 0\n") {
		t.Error("its metrics do not tell of other servers")
	}
	s.post(`"first":4,"messages":[{"op":"publish","topic":"t","data":"three"}]`).wantStatus(t, 200)
	var all strings.Builder
	for ack, attach := 0, 1; strings.Count(all.String(), `"data"`) < 3 && attach < 20; attach++ {
		var o struct{ Messages []json.RawMessage }
		a := s.post(fmt.Sprintf(`"attach":%d,"ack":%d`, attach, ack)).wantStatus(t, 200)
		if err := json.Unmarshal([]byte(a.body), &o); err != nil {
			t.Fatal(err)
		}
		for _, m := range o.Messages {
			all.Write(m)
			ack++
		}
	}
	for _, want := range []string{`"one"`, `"two"`, `"three"`} {
		if strings.Count(all.String(), want) != 1 {
			t.Errorf("%s is not there once: %s", want, all.String())
		}
	}
}

// Any of two servers knows the sessions of a user at both, and the browsers to notify.
func TestServersAreOne(t *testing.T) {
	nats, err := natsd.NewServer(&natsd.Options{Host: "127.0.0.1", Port: -1, NoSigs: true, JetStream: true, StoreDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	nats.Start()
	defer nats.WaitForShutdown()
	defer nats.Shutdown()
	asked := make(chan string, 9)
	service := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusCreated)
		asked <- r.URL.Path
	}))
	defer service.Close()
	secret := writeFile(t, "secret", strings.Repeat("s", 32))
	args := append(webPushArgs(t, service), "--nats="+nats.ClientURL(), "--token-key="+secret, "--shutdown-spread=0s")
	one, two := start(t, append(args, "--node=one")...), start(t, append(args, "--node=two")...)
	token, err := program("token", "ann", "--token-key="+secret).Output()
	if err != nil {
		t.Fatal(err)
	}
	for !strings.Contains(call(t, "GET", one.url+"/metrics", "").body, "mochibosh_node_peers 1\n") {
	}
	registerBrowser(t, one, string(token), subscriptionOf(t, service.URL+"/ann"))

	both := []string{one.url, two.url}
	sessions := make([]string, 2)
	for i, url := range both {
		body := call(t, "POST", url+"/push", fmt.Sprintf(`{"token":%q}`, strings.TrimSpace(string(token)))).wantStatus(t, 201).body
		var o struct{ Session, Key string }
		if err := json.Unmarshal([]byte(body), &o); err != nil {
			t.Fatal(err)
		}
		sessions[i] = fmt.Sprintf(`{"session":%q,"key":%q}`, o.Session, o.Key)
	}
	for _, url := range both {
		if got := call(t, "POST", url+"/api/sessions", `{"user":"ann"}`).wantStatus(t, 200).body; strings.Count(got, "push.v1") != 2 {
			t.Errorf("at %s: %s", url, got)
		}
	}
	// She is there, at the other one.
	call(t, "POST", two.url+"/api/end-sessions", fmt.Sprintf(`{"user":"ann","session":%q}`, sessionAt(t, two, sessions[1]))).wantStatus(t, 200).wantBody(t, `{"ended":1}`)
	call(t, "POST", two.url+"/api/publish-to-user", `{"user":"ann","data":1,"push":{"title":"Needless"}}`).wantStatus(t, 200)
	for !strings.Contains(call(t, "GET", two.url+"/metrics", "").body, "mochibosh_web_push_waiting 0") {
	}
	if len(asked) > 0 {
		t.Error("notified though she is there")
	}
	call(t, "POST", two.url+"/api/end-sessions", `{"user":"ann"}`).wantStatus(t, 200).wantBody(t, `{"ended":1}`)
	call(t, "POST", one.url+"/push", sessions[0]).wantBody(t, `"end"`)
	// She is gone, and the browser was registered at the other one.
	call(t, "POST", two.url+"/api/publish-to-user", `{"user":"ann","data":2,"push":{"title":"Hi"}}`).wantStatus(t, 200)
	if path := <-asked; path != "/ann" {
		t.Errorf("notified %s", path)
	}
}

// sessionAt returns how logs name the session of a client at a server.
func sessionAt(t *testing.T, p *process, client string) string {
	t.Helper()
	var o struct{ Session string }
	if err := json.Unmarshal([]byte(client), &o); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(o.Session))
	return hex.EncodeToString(sum[:6])
}
