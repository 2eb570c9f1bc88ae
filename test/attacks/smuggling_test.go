package attacks

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/internal/httpd"
)

// smuggled is a request that hides in another one's body.
const smuggled = "POST /api/publish HTTP/1.1\r\nHost: localhost\r\nContent-Length: 31\r\n\r\n" + `{"topic":"smuggled","data":"in"}`

// A shape is a request that some server on the way may end elsewhere than we do.
type shape struct {
	name    string
	header  string // lines after the request line and Host
	body    string
	refused bool // else it is one request, whatever is in its body
	line    string
}

var shapes = []shape{
	{name: "CL.TE", header: "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", body: "0\r\n\r\nX", refused: true},
	{name: "TE.CL", header: "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", body: "5c\r\nGPOST\r\n0\r\n\r\n", refused: true},
	{name: "TE.TE, the second unknown", header: "Transfer-Encoding: chunked\r\nTransfer-Encoding: cow\r\n", body: "0\r\n\r\n", refused: true},
	{name: "TE in a list", header: "Transfer-Encoding: gzip, chunked\r\n", body: "0\r\n\r\n", refused: true},
	{name: "TE twice", header: "Transfer-Encoding: chunked, chunked\r\n", body: "0\r\n\r\n", refused: true},
	{name: "TE with a tab in front", header: "Transfer-Encoding:\tchunked\r\nContent-Length: 3\r\n", body: "0\r\n\r\n", refused: true},
	{name: "TE with a letter too many", header: "Transfer-Encoding: xchunked\r\n", body: "0\r\n\r\n", refused: true},
	{name: "TE with a vertical tab", header: "Transfer-Encoding: \x0bchunked\r\n", body: "0\r\n\r\n", refused: true},
	{name: "TE quoted", header: "Transfer-Encoding: \"chunked\"\r\n", body: "0\r\n\r\n", refused: true},
	{name: "TE in HTTP/1.0", line: "HTTP/1.0", header: "Transfer-Encoding: chunked\r\n", body: "0\r\n\r\n", refused: true},
	{name: "TE with whitespace before its colon", header: "Transfer-Encoding : chunked\r\n", body: "0\r\n\r\n", refused: true},
	{name: "TE on a folded line", header: "X: x\r\n Transfer-Encoding: chunked\r\n", body: "0\r\n\r\n", refused: true},
	{name: "TE behind a bare carriage return", header: "X: x\rTransfer-Encoding: chunked\r\n", body: "0\r\n\r\n", refused: true},
	{name: "TE behind a null", header: "X: x\x00Transfer-Encoding: chunked\r\n", body: "0\r\n\r\n", refused: true},
	{name: "two lengths", header: "Content-Length: 3\r\nContent-Length: 0\r\n", body: "abc", refused: true},
	{name: "two lengths in a list", header: "Content-Length: 3, 0\r\n", body: "abc", refused: true},
	{name: "the same length twice", header: "Content-Length: 3\r\nContent-Length: 3\r\n", body: "abc", refused: true},
	{name: "a length with a sign", header: "Content-Length: +3\r\n", body: "abc", refused: true},
	{name: "a negative length", header: "Content-Length: -3\r\n", body: "abc", refused: true},
	{name: "a length in hexadecimal", header: "Content-Length: 0x3\r\n", body: "abc", refused: true},
	{name: "a length with whitespace in it", header: "Content-Length: 3 3\r\n", body: "abc", refused: true},
	{name: "an empty length", header: "Content-Length:\r\n", body: "abc", refused: true},
	{name: "a length above all", header: "Content-Length: 99999999999999999999\r\n", body: "abc", refused: true},
	{name: "a length with an underscore", header: "Content_Length: 3\r\nContent-Length: 0\r\n"},
	{name: "whitespace before a colon", header: "Content-Length : 3\r\n", body: "abc", refused: true},
	{name: "a folded length", header: "Content-Length:\r\n 3\r\n", body: "abc", refused: true},
	{name: "a line without a colon", header: "Content-Length 3\r\n", body: "abc", refused: true},
	{name: "whitespace before the first field", line: "HTTP/1.1\r\n X: x", body: "", refused: true},
	{name: "two hosts", header: "Host: other\r\nContent-Length: 0\r\n", refused: true},
	{name: "a chunk size with a sign", header: "Transfer-Encoding: chunked\r\n", body: "+3\r\nabc\r\n0\r\n\r\n", refused: true},
	{name: "a chunk size with a prefix", header: "Transfer-Encoding: chunked\r\n", body: "0x3\r\nabc\r\n0\r\n\r\n", refused: true},
	{name: "a chunk size above all", header: "Transfer-Encoding: chunked\r\n", body: "fffffffffffffffff\r\nabc\r\n0\r\n\r\n", refused: true},
	{name: "a negative chunk size", header: "Transfer-Encoding: chunked\r\n", body: "-1\r\nabc\r\n0\r\n\r\n", refused: true},
	{name: "a chunk without its line end", header: "Transfer-Encoding: chunked\r\n", body: "3\r\nabcd\r\n0\r\n\r\n", refused: true},
	{name: "a chunk with an extension", header: "Transfer-Encoding: chunked\r\n", body: "3;a=b\r\nabc\r\n0\r\n\r\n"},
	{name: "a chunk with a quoted extension", header: "Transfer-Encoding: chunked\r\n", body: "3;a=\"\n\"\r\nabc\r\n0\r\n\r\n", refused: true},
	{name: "a length in a trailer", header: "Transfer-Encoding: chunked\r\nTrailer: Content-Length\r\n", body: "0\r\nContent-Length: 5\r\n\r\n", refused: true},
	{name: "TE whose name has capitals", header: "TRANSFER-encoding: CHUNKED\r\n", body: "3\r\nabc\r\n0\r\n\r\n"},
	{name: "a request in a body", header: fmt.Sprintf("Content-Length: %d\r\n", len(smuggled)), body: smuggled},
	{name: "a request in a chunk", header: "Transfer-Encoding: chunked\r\n", body: fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(smuggled), smuggled)},
}

func (s shape) request(path string) string {
	line := s.line
	if line == "" {
		line = "HTTP/1.1"
	}
	return "POST " + path + " " + line + "\r\nHost: localhost\r\n" + s.header + "\r\n" + s.body
}

// Where a request ends we know as precisely as net/http, or refuse it; what is
// behind it on the connection then is read by nobody.
func TestSmuggling(t *testing.T) {
	s := serve(t)
	probes := 0
	for _, path := range []string{"/http-bind", "/push"} {
		for i, shape := range shapes {
			t.Run(shape.name+" at "+path, func(t *testing.T) {
				topic := fmt.Sprintf("smuggled%d%d", len(path), i)
				behind := strings.ReplaceAll(smuggled, `{"topic":"smuggled"`, `{"topic":"`+topic+`"`)
				behind = strings.ReplaceAll(behind, "Content-Length: 31", fmt.Sprintf("Content-Length: %d", len(behind)-strings.Index(behind, "{")))
				got := s.raw(shape.request(path) + behind)
				answers := strings.Count(got, "HTTP/1.1 ")
				if shape.refused && (answers != 1 || strings.Contains(got, `"offset"`)) {
					t.Errorf("the request behind it was read:\n%s", got)
				}
				if shape.refused && !strings.Contains(got, "HTTP/1.1 400 ") && !strings.Contains(got, "HTTP/1.1 501 ") && !strings.Contains(got, "bad-request") {
					t.Errorf("not refused:\n%s", got)
				}
				probes++
				want(t, "the next in the topic", s.call("POST", "/api/publish", `{"topic":"smuggled","data":1}`).body, fmt.Sprintf(`"offset":%d}`, probes))
			})
		}
	}
}

// The same, side by side with net/http: what both read of a connection is the
// same, but that we may refuse more.
func TestSmugglingAgreesWithNetHTTP(t *testing.T) {
	theirs, ours := newWitness(), newWitness()
	quiet := log.New(io.Discard, "", 0)
	listen := func(serve func(net.Listener) error, end func() error) string {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go serve(ln)
		t.Cleanup(func() { end() })
		return ln.Addr().String()
	}
	oracle := &http.Server{Handler: theirs, ErrorLog: quiet}
	own := &httpd.Server{Options: httpd.Options{Handler: ours}}
	theirAddr, ourAddr := listen(oracle.Serve, oracle.Close), listen(own.Serve, own.Close)
	for _, shape := range shapes {
		t.Run(shape.name, func(t *testing.T) {
			text := shape.request("/first") + "GET /second HTTP/1.1\r\nHost: a\r\n\r\n"
			say(t, theirAddr, text)
			say(t, ourAddr, text)
			want, got := theirs.take(), ours.take()
			if len(got) > len(want) {
				t.Fatalf("we read %q, net/http %q", got, want)
			}
			for i := range got {
				if got[i] != want[i] {
					t.Errorf("we read %q, net/http %q", got[i], want[i])
				}
			}
		})
	}
}

// say sends bytes, and waits for the end of the connection.
func say(t *testing.T, addr, text string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	io.WriteString(c, text)
	c.(*net.TCPConn).CloseWrite()
	io.Copy(io.Discard, c)
}

// A witness remembers the requests that it could read whole.
type witness struct {
	mu   sync.Mutex
	seen []string
}

func newWitness() *witness { return &witness{} }

func (w *witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		rw.Header().Set("Connection", "close")
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, fmt.Sprintf("%s %s %q %q", r.Method, r.URL, r.Host, data))
}

func (w *witness) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := w.seen
	w.seen = nil
	return seen
}
