package attacks

import (
	"crypto/rand"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// Ids of sessions cannot be guessed, guesses are told apart by nothing, and logs
// do not tell them.
func TestSidGuessing(t *testing.T) {
	s := serve(t, "--log-level=debug", "--max-sessions-per-ip=0", "--session-rate=0")
	seen := map[string]bool{}
	for range 200 {
		sid := s.bosh("")
		if seen[sid] || !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(sid) {
			t.Fatalf("%s is no random id, or comes again", sid)
		}
		seen[sid] = true
	}
	answers := map[string]int{}
	for n := range 1000 {
		a := s.call("POST", "/http-bind", body(fmt.Sprintf("rid='%d' sid='%s'", 2+n%7, uuid.NewString()), ""))
		answers[a.Status+a.body]++
	}
	if len(answers) != 1 {
		t.Errorf("guesses are answered in %d ways: %v", len(answers), answers)
	}
	for sid := range seen {
		if strings.Contains(s.log(), sid) {
			t.Fatalf("the log has %s", sid)
		}
		// One that is right, with a rid that is not, does the same as one that is
		// not, but for the end of the session: a guess is not worth more.
		a := s.call("POST", "/http-bind", body("rid='1000000' sid='"+sid+"'", ""))
		if answers[a.Status+a.body] == 0 {
			t.Errorf("another answer: %s", a.body)
		}
		break
	}
}

// The id of a push.v1 session may be known: without the key nothing happens to
// it.
func TestKeyGuessing(t *testing.T) {
	s := serve(t, "--log-level=debug")
	r := newReader(t, s, "t")
	for range 100 {
		for _, members := range []string{`"end":true`, `"attach":99999,"ack":0`, `"first":2,"messages":[{"op":"publish","topic":"t","data":1}]`} {
			a := s.call("POST", "/push", fmt.Sprintf(`{"session":%q,"key":%q,%s}`, r.o.Session, rand.Text(), members))
			if a.StatusCode != 403 {
				t.Fatalf("%s: %s", a.Status, a.body)
			}
		}
		a := s.call("GET", "/push/sse?ticket=1.0.99999999999."+r.o.Session+"."+rand.Text()[:24], "")
		if a.StatusCode != 403 {
			t.Fatalf("%s: %s", a.Status, a.body)
		}
	}
	r.wantMessage("still there")
	wantNot(t, "the log", s.log(), r.o.Key)
	wantNot(t, "the log", s.log(), r.o.Session)
}
