package attacks

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long anything may take before a test gives up on it.
const patience = 30 * time.Second

// program is built once, for all tests.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "attacks")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "mochibosh")
	build := exec.Command("go", "build", "-o", program, "../../cmd/mochibosh")
	build.Stdout, build.Stderr = os.Stdout, os.Stderr
	code := 1
	if err := build.Run(); err == nil {
		code = m.Run()
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// A server is a running `mochibosh serve`, with push for everybody.
type server struct {
	t       testing.TB
	cmd     *exec.Cmd
	addr    string
	url     string
	exited  chan struct{}
	mu      sync.Mutex
	said    bytes.Buffer
	arrived chan struct{} // one element when something was said
}

func serve(t testing.TB, args ...string) *server { return serveWith(t, nil, args...) }

// serveWith runs the program with more in its environment.
func serveWith(t testing.TB, env []string, args ...string) *server {
	t.Helper()
	s := &server{t: t, exited: make(chan struct{}), arrived: make(chan struct{}, 1)}
	s.cmd = exec.Command(program, append([]string{"serve", "--listen=127.0.0.1:0", "--dev", "--push=on"}, args...)...)
	s.cmd.Env = append(os.Environ(), env...)
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go s.read(stderr)
	t.Cleanup(func() {
		select {
		case <-s.exited:
			t.Errorf("the server went down: %v", s.cmd.ProcessState)
		default:
		}
		s.cmd.Process.Kill()
		<-s.exited
		if t.Failed() {
			log := s.log()
			t.Logf("mochibosh said:\n%s", log[max(0, len(log)-10_000):])
		}
	})
	s.addr = s.until(`listening"?,? ?"?address[=":]+([0-9.:]+)`)
	s.url = "http://" + s.addr
	return s
}

func (s *server) read(r io.Reader) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		s.mu.Lock()
		s.said.WriteString(lines.Text() + "\n")
		s.mu.Unlock()
		select {
		case s.arrived <- struct{}{}:
		default:
		}
	}
	s.cmd.Wait()
	close(s.exited)
}

func (s *server) log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said.String()
}

// until waits for a line of the log, and returns the pattern's group.
func (s *server) until(pattern string) string {
	s.t.Helper()
	re := regexp.MustCompile(pattern)
	for late := time.After(patience); ; {
		if m := re.FindStringSubmatch(s.log()); m != nil {
			return m[len(m)-1]
		}
		select {
		case <-s.arrived:
		case <-s.exited:
			s.t.Fatalf("ended before it said %s", pattern)
		case <-late:
			s.t.Fatalf("it never said %s", pattern)
		}
	}
}

// wantWell checks that somebody else is served.
func (s *server) wantWell() {
	s.t.Helper()
	a := s.call("POST", "/push", `{"messages":[{"op":"publish","topic":"well","data":1}]}`)
	if a.StatusCode != http.StatusCreated {
		s.t.Fatalf("somebody else was answered %s %s", a.Status, a.body)
	}
	var o object
	if err := json.Unmarshal([]byte(a.body), &o); err != nil {
		s.t.Fatal(err)
	}
	got := s.call("POST", "/push", fmt.Sprintf(`{"session":%q,"key":%q,"attach":1,"ack":0}`, o.Session, o.Key)).body
	if !strings.Contains(got, `"published"`) {
		s.t.Errorf("somebody else was told %s", got)
	}
	s.call("POST", "/push", fmt.Sprintf(`{"session":%q,"key":%q,"end":true}`, o.Session, o.Key))
}

// An object is what a client of push.v1 is told.
type object struct {
	Session, Key, Ticket string
	Messages             []json.RawMessage
	Error                struct{ Code string }
}

type answer struct {
	*http.Response
	body string
}

// call makes a request; header lines are "Name: value".
func (s *server) call(method, path, body string, header ...string) answer {
	s.t.Helper()
	r, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		if r.Header.Add(name, value); name == "Host" {
			r.Host = value
		}
	}
	resp, err := (&http.Client{Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer{resp, string(data)}
}

// dial connects without a word.
func (s *server) dial() net.Conn {
	s.t.Helper()
	c, err := net.DialTimeout("tcp", s.addr, patience)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c
}

// raw sends bytes on a connection of its own, closes that for writing, and
// returns all that comes back.
func (s *server) raw(text string) string {
	s.t.Helper()
	c := s.dial()
	defer c.Close()
	io.WriteString(c, text)
	c.(*net.TCPConn).CloseWrite()
	data, err := io.ReadAll(c)
	if err != nil && !strings.Contains(err.Error(), "reset") {
		s.t.Errorf("%v after %q", err, data)
	}
	return string(data)
}

func want(t testing.TB, what, got, part string) {
	t.Helper()
	if !strings.Contains(got, part) {
		t.Errorf("%s: got %.500q, want %q in it", what, got, part)
	}
}

func wantNot(t testing.TB, what, got, part string) {
	t.Helper()
	if strings.Contains(got, part) {
		t.Errorf("%s: got %.500q, with %q in it", what, got, part)
	}
}

// ---- BOSH

func body(attributes, payloads string) string {
	return `<body xmlns='http://jabber.org/protocol/httpbind' ` + attributes + `>` + payloads + `</body>`
}

// bosh makes a session with the bus, and returns its sid.
func (s *server) bosh(attributes string) string {
	s.t.Helper()
	a := s.call("POST", "/http-bind", body("rid='1' to='bus' ver='1.6' wait='1' hold='1' "+attributes, ""))
	_, rest, _ := strings.Cut(a.body, " sid='")
	sid, _, _ := strings.Cut(rest, "'")
	if sid == "" {
		s.t.Fatalf("no session: %s", a.body)
	}
	return sid
}
