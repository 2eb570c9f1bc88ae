package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"
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
		"web-push-key":        {"--nats=nats://127.0.0.1:4222", "--node=n1", "--web-push-key=/tmp/x", "--web-push-subject=mailto:a@b.example"},
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
