package attacks

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"
)

// hostile is what every value is tried with: line ends, as they are and as
// character references, quotes and tags.
const (
	lines   = "x\r\nlevel=ERROR msg=injected\r\nX-Injected: yes"
	escaped = "x&#13;&#10;level=ERROR msg=injected&#10;X-Injected: yes"
	markup  = "x&apos;&quot;&gt;&lt;injected xmlns=&apos;urn:x&apos;/&gt;"
)

// Nothing that a client says gets out of its place: in a log, in a header of an
// answer, in the XMPP stream to a server.
func TestInjection(t *testing.T) {
	xmpp := newXMPPServer(t)
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			s := serve(t, "--log-format="+format, "--log-level=debug", "--xmpp=a.example="+xmpp.addr+"?tls=off", "--bosh-opening-wait=1s")
			attack(t, s)
			s.wantWell()
			for _, line := range strings.Split(strings.TrimSpace(s.log()), "\n") {
				if format == "json" && !json.Valid([]byte(line)) || format == "text" && !regexp.MustCompile(`^time=\S+ level=(DEBUG|INFO|WARN) msg=`).MatchString(line) {
					t.Errorf("the log has the line %q", line)
				}
			}
		})
	}
	xmpp.wantClean(t)
}

func attack(t *testing.T, s *server) {
	check := func(what string, a string) {
		t.Helper()
		head, _, _ := strings.Cut(a, "\r\n\r\n")
		if regexp.MustCompile(`(?mi)^x-injected|^level=`).MatchString(head) {
			t.Errorf("%s: the header has\n%s", what, head)
		}
	}
	post := func(path, text string, header ...string) string {
		return s.raw("POST " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + strings.Join(header, "") +
			fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(text), text))
	}
	// Attributes of BOSH.
	sid := s.bosh("")
	for _, value := range []string{lines, escaped, markup} {
		for _, name := range []string{"to", "from", "route", "xml:lang", "content", "ver", "wait", "hold", "rid", "sid", "stream", "key", "newkey", "type", "condition", "ack", "pause"} {
			attributes := map[string]string{"rid": "1", "to": "a.example", "ver": "1.6", "wait": "1"}
			attributes[name] = value
			text := ""
			for n, v := range attributes {
				text += " " + n + "='" + v + "'"
			}
			check("BOSH "+name, post("/http-bind", body(text, "")))
		}
		check("BOSH content", post("/http-bind", body("rid='1' to='bus' content='text/html;"+value+"'", "")))
		check("BOSH sid", post("/http-bind", body("rid='2' sid='"+sid+value+"'", "")))
		check("an element", post("/http-bind", body("rid='2' sid='"+sid+"'", "<json xmlns='urn:xmpp:json:0'>"+value+"</json>")))
	}
	// Members of push.v1.
	quoted, _ := json.Marshal(lines)
	for _, name := range []string{"session", "key", "to"} {
		check("push "+name, post("/push", fmt.Sprintf(`{%q:%s,"attach":1}`, name, quoted)))
		check("push name", post("/push", fmt.Sprintf(`{%s:1}`, quoted)))
	}
	for _, message := range []string{`"op":%s`, `"op":"subscribe","topic":%s`, `"op":"publish","topic":"t","data":%s`, `"op":"publish","topic":"t","data":1,"id":%[1]s,"key":%[1]s`, `"op":"subscribe","topic":"t","ref":%s`, `"op":"subscribe","topic":"t","presence":%s`} {
		check("bus", post("/push", `{"messages":[{`+fmt.Sprintf(message, quoted)+`}]}`))
	}
	check("publish", post("/api/publish", fmt.Sprintf(`{"topic":%s,"data":1}`, quoted)))
	// The header, and the target. What is no header is no request.
	for _, name := range []string{"Origin", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "User-Agent", "Cookie", "Accept-Encoding", "Content-Encoding", "Content-Type", "Expect", "Access-Control-Request-Headers", "Last-Event-ID"} {
		for _, value := range []string{"x\rlevel=ERROR msg=injected\rX-Injected: yes", "x\x00\x1b[2Jlevel=ERROR", `for="` + "x\tlevel=ERROR", `" level=ERROR msg="injected`} {
			check(name, post("/http-bind", body("rid='1' to='bus'", ""), name+": "+value+"\r\n"))
		}
	}
	for _, target := range []string{"/x%0d%0alevel=ERROR%20msg=injected", "/x%0d%0aX-Injected:%20yes", "/http-bind/%0aX-Injected: yes", "/push/sse?ticket=x%0d%0aX-Injected:%20yes", "/.well-known/host-meta?x=%0d%0aX-Injected:1"} {
		check(target, s.raw("GET "+target+" HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n"))
	}
	for _, host := range []string{"a.example\rX-Injected: yes", `a.example"><injected`, "a.example/../x", "a.example%0d%0aX-Injected: yes"} {
		a := s.raw("GET /.well-known/host-meta HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n")
		check("Host "+host, a)
		wantNot(t, "host-meta for "+host, a, "<injected")
	}
}

// An xmppServer writes down what streams are opened with.
type xmppServer struct {
	addr string
	got  chan string
}

func newXMPPServer(t *testing.T) *xmppServer {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	x := &xmppServer{l.Addr().String(), make(chan string, 1000)}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(patience))
				in := bufio.NewReader(c)
				head, _ := in.ReadString('>')
				if head == "" {
					return // who asked for the stream was gone before it began
				}
				more, _ := in.ReadString('>')
				x.got <- head + more
				io.WriteString(c, "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='1' from='a.example' version='1.0'><stream:features/>")
				io.Copy(io.Discard, c)
			}()
		}
	}()
	return x
}

// wantClean checks that streams began, with their own header and nothing else.
func (x *xmppServer) wantClean(t *testing.T) {
	t.Helper()
	n := 0
	for ; ; n++ {
		select {
		case head := <-x.got:
			wantNot(t, "a stream header", head, "<injected")
			wantNot(t, "a stream header", head, "\nlevel=")
			if strings.Count(head, "<stream:stream") != 1 {
				t.Errorf("a stream began with %q", head)
			}
			continue
		default:
		}
		break
	}
	if n == 0 {
		t.Error("no stream was opened")
	}
}
