//go:build linux

package httpd

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// errHTTP2 says that a connection begins with the preface of HTTP/2.
var errHTTP2 = errors.New("httpd: HTTP/2")

// A statusError is a request that is refused before a handler has seen it.
type statusError struct {
	status int
	text   string
}

func (e statusError) Error() string { return "httpd: " + e.text }

// answer returns the answer, after which the connection is closed.
func (e statusError) answer() string {
	line := strconv.Itoa(e.status) + " " + http.StatusText(e.status)
	return "HTTP/1.1 " + line + "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n" + line + ": " + e.text
}

func malformed(text string) error { return statusError{http.StatusBadRequest, text} }

// request reads the next request up to its body. Errors: errNothing, if nothing
// of it is there; errHTTP2; a statusError; those of the connection.
func (r *reader) request() (*http.Request, *response, error) {
	if err := r.readHead(); err != nil {
		return nil, nil, err
	}
	// What the request says points into this.
	head := string(r.head)
	line, fields, _ := strings.Cut(head, "\n")
	c := r.conn
	w := &response{conn: c, length: -1, r: r, ctx: &requestContext{conn: c}}
	req := blank.WithContext(w.ctx)
	if err := parseLine(req, trimEOL(line)); err != nil {
		return nil, nil, err
	}
	if strings.Count(fields, "\n")-1 > c.server.maxFields() {
		return nil, nil, statusError{http.StatusRequestHeaderFieldsTooLarge, "too many header lines"}
	}
	if err := parseFields(req, fields); err != nil {
		return nil, nil, err
	}
	coding, err := framing(req)
	if err != nil {
		return nil, nil, err
	}
	c.posted = req.Method == http.MethodPost
	req.RemoteAddr = c.remote
	w.accept(req)
	w.body.begin(r, w, req, coding)
	switch expect := req.Header["Expect"]; {
	case len(expect) == 0:
	case hasToken(expect, "100-continue"):
		w.body.expects = req.ContentLength != 0 && !w.proto10
	case expect[0] != "":
		return nil, nil, statusError{http.StatusExpectationFailed, "unknown expectation"}
	}
	return req, w, nil
}

// blank is what requests are made of: a context needs a copy anyway.
var blank http.Request

// readHead reads the request line and the header into head.
func (r *reader) readHead() error {
	r.head = r.head[:0]
	r.first = r.Buffered() == 0
	r.conn.setReadUntil(headerTime)
	start, err := r.Peek(1)
	if err != nil {
		return err
	}
	if start[0] == 'P' {
		if p, _ := r.Peek(4); string(p) == "PRI " {
			return errHTTP2
		}
	}
	// A line end too many after a body is forgiven (RFC 9112 §2.2).
	for blank := 0; r.conn.posted && blank < 4 && (start[0] == '\r' || start[0] == '\n'); blank++ {
		r.Discard(1)
		if start, err = r.Peek(1); err != nil {
			return late(err)
		}
	}
	for limit := r.conn.server.maxHeader(); ; {
		line, err := r.ReadSlice('\n')
		r.head = append(r.head, line...)
		if len(r.head) > limit {
			return statusError{http.StatusRequestHeaderFieldsTooLarge, "header too large"}
		}
		switch {
		case err == bufio.ErrBufferFull:
		case err != nil:
			return late(err)
		case bytes.HasSuffix(r.head, blankLine) || bytes.HasSuffix(r.head, bareBlankLine):
			return nil
		}
	}
}

// Lines may end without a carriage return (RFC 9112 §2.2).
var blankLine, bareBlankLine = []byte("\n\r\n"), []byte("\n\n")

// late is the error of a connection that ends within a header.
func late(err error) error {
	if err == io.EOF {
		return malformed("the request is cut off")
	}
	return err
}

func trimEOL(line string) string {
	line = strings.TrimSuffix(line, "\n")
	return strings.TrimSuffix(line, "\r")
}

// parseLine reads the request line.
func parseLine(req *http.Request, line string) error {
	method, rest, ok := strings.Cut(line, " ")
	target, proto, ok2 := strings.Cut(rest, " ")
	if !ok || !ok2 {
		return malformed("malformed request line")
	}
	if !isToken(method) {
		return malformed("invalid method")
	}
	req.Method, req.RequestURI, req.Proto = method, target, proto
	switch proto {
	case "HTTP/1.1":
		req.ProtoMajor, req.ProtoMinor = 1, 1
	case "HTTP/1.0":
		req.ProtoMajor, req.ProtoMinor = 1, 0
	default:
		if req.ProtoMajor, req.ProtoMinor, ok = http.ParseHTTPVersion(proto); !ok {
			return malformed("malformed HTTP version")
		}
		if req.ProtoMajor != 1 {
			return statusError{http.StatusHTTPVersionNotSupported, "unsupported protocol version"}
		}
	}
	// The target of CONNECT is an authority and nothing else (RFC 9112 §3.2.3).
	if isPlainPath(target) && method != http.MethodConnect {
		req.URL = &url.URL{Path: target}
		return nil
	}
	authority := method == http.MethodConnect && !strings.HasPrefix(target, "/")
	if authority {
		target = "http://" + target
	}
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return malformed("malformed target")
	}
	if authority {
		u.Scheme = ""
	}
	req.URL = u
	return nil
}

// isPlainPath reports whether a target is a path and nothing else, as most are.
func isPlainPath(target string) bool {
	return strings.HasPrefix(target, "/") && !strings.HasPrefix(target, "//") && all(target, inPlainPath)
}

// parseFields reads the header.
func parseFields(req *http.Request, fields string) error {
	n := strings.Count(fields, "\n") - 1
	req.Header = make(http.Header, n)
	values := make([]string, n)
	hosts := 0
	for {
		line, rest, _ := strings.Cut(fields, "\n")
		fields = rest
		if line = trimEOL(line); line == "" {
			break
		}
		name, value, err := parseField(line)
		if err != nil {
			return err
		}
		if name == "Host" {
			if hosts++; !isHost(value) {
				return malformed("malformed Host header")
			}
			if req.Host = req.URL.Host; req.Host == "" {
				req.Host = value
			}
			continue
		}
		if have := req.Header[name]; have != nil {
			req.Header[name] = append(have, value)
			continue
		}
		values[0] = value
		req.Header[name] = values[:1:1]
		values = values[1:]
	}
	switch {
	case hosts > 1:
		return malformed("too many Host headers")
	case hosts == 0 && req.ProtoMinor >= 1 && req.Method != http.MethodConnect:
		return malformed("missing required Host header")
	case hosts == 0:
		req.Host = req.URL.Host
	}
	if p := req.Header["Pragma"]; len(p) > 0 && p[0] == "no-cache" && req.Header["Cache-Control"] == nil {
		req.Header["Cache-Control"] = []string{"no-cache"}
	}
	connection := req.Header["Connection"]
	req.Close = hasToken(connection, "close") || req.ProtoMinor == 0 && !hasToken(connection, "keep-alive")
	return nil
}

// parseField reads a line of a header, or of a trailer.
func parseField(line string) (name, value string, err error) {
	name, value, ok := strings.Cut(line, ":")
	if !ok || !isToken(name) { // an obs-fold is none either (RFC 9112 §5.2)
		return "", "", malformed("malformed header line")
	}
	value = strings.Trim(value, " \t")
	if !isFieldValue(value) {
		return "", "", malformed("invalid header value")
	}
	return textproto.CanonicalMIMEHeaderKey(name), value, nil
}

// A coding is how the body of a request is delimited.
type coding uint8

const (
	none coding = iota
	counted
	chunked
)

// framing finds out where the body ends, and refuses what others on the way may
// have understood in another way (RFC 9112 §6.3, §11.2).
func framing(req *http.Request) (coding, error) {
	te, hasTE := req.Header["Transfer-Encoding"]
	cl, hasCL := req.Header["Content-Length"]
	switch {
	case hasTE && hasCL:
		return none, malformed("both Transfer-Encoding and Content-Length")
	case hasTE && req.ProtoMinor == 0:
		return none, malformed("Transfer-Encoding in HTTP/1.0")
	case hasTE && (len(te) != 1 || !strings.EqualFold(te[0], "chunked")):
		return none, statusError{http.StatusNotImplemented, "unsupported transfer encoding"}
	case hasTE:
		delete(req.Header, "Transfer-Encoding")
		req.TransferEncoding = te
		te[0] = "chunked"
		req.ContentLength = -1
		return chunked, announcedTrailer(req)
	case !hasCL:
		return none, nil
	}
	n, err := strconv.ParseUint(cl[0], 10, 63)
	if err != nil || len(cl) > 1 || cl[0][0] == '+' {
		return none, malformed("bad Content-Length")
	}
	req.ContentLength = int64(n)
	if n == 0 {
		return none, nil
	}
	return counted, nil
}

// announcedTrailer notes the fields that are to come behind the chunks.
func announcedTrailer(req *http.Request) error {
	for _, v := range req.Header["Trailer"] {
		for name := range strings.SplitSeq(v, ",") {
			name = textproto.CanonicalMIMEHeaderKey(strings.Trim(name, " \t"))
			switch name {
			case "":
				continue
			case "Transfer-Encoding", "Trailer", "Content-Length":
				return malformed("bad trailer key")
			}
			if req.Trailer == nil {
				req.Trailer = make(http.Header)
			}
			req.Trailer[name] = nil
		}
	}
	delete(req.Header, "Trailer")
	return nil
}

// ---- characters (RFC 9110 §5.6.2, §5.5; RFC 3986 §3.2.2)

const (
	inToken = 1 << iota
	inValue
	inHost
	inPlainPath
)

var classes = func() (t [256]uint8) {
	for c := range t {
		b := byte(c)
		letter := b|0x20 >= 'a' && b|0x20 <= 'z' || b >= '0' && b <= '9'
		if letter || b != 0 && strings.IndexByte("!#$%&'*+-.^_`|~", b) >= 0 {
			t[c] |= inToken
		}
		if letter || b == '/' || b == '-' || b == '_' || b == '.' {
			t[c] |= inPlainPath
		}
		if b >= ' ' && b != 0x7f || b == '\t' {
			t[c] |= inValue
		}
		if letter || b != 0 && strings.IndexByte("!$%&'()*+,-.:;=[]_~", b) >= 0 {
			t[c] |= inHost
		}
	}
	return t
}()

func all(s string, class uint8) bool {
	for i := range len(s) {
		if classes[s[i]]&class == 0 {
			return false
		}
	}
	return true
}

func isToken(s string) bool      { return s != "" && all(s, inToken) }
func isFieldValue(s string) bool { return all(s, inValue) }
func isHost(s string) bool       { return all(s, inHost) }

// hasWord reports whether a word is in the first header line, whatever else is
// there: net/http closes at it, and so do we, if only to be alike.
func hasWord(lines []string, word string) bool {
	return len(lines) > 0 && slices.ContainsFunc(strings.FieldsFunc(lines[0], func(r rune) bool {
		return r == ' ' || r == '\t' || r == ','
	}), func(s string) bool { return strings.EqualFold(s, word) })
}

// hasToken reports whether a list in header lines has a token, in whatever case.
func hasToken(lines []string, token string) bool {
	for _, line := range lines {
		if strings.EqualFold(line, token) {
			return true
		}
		if strings.IndexByte(line, ',') < 0 {
			continue
		}
		for t := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.Trim(t, " \t"), token) {
				return true
			}
		}
	}
	return false
}
