package nodes

import (
	"bytes"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
)

func TestRequest(t *testing.T) {
	r := httptest.NewRequest("POST", "/push?a=b%20c", nil)
	r.Host, r.RemoteAddr = "gw.example", "192.0.2.1:5"
	r.Header.Set("Origin", "https://a.example")
	r.TLS = new(tls.ConnectionState)
	data, err := (&request{2, headOf(r), []byte("body")}).append(nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseRequest(data)
	if err != nil {
		t.Fatal(err)
	}
	again := new(http.Request)
	if err := got.head.apply(again); err != nil {
		t.Fatal(err)
	}
	if got.hops != 2 || string(got.body) != "body" || again.Method != "POST" || again.URL.String() != "/push?a=b%20c" ||
		again.RequestURI != "/push?a=b%20c" || again.Host != r.Host || again.RemoteAddr != r.RemoteAddr || again.TLS == nil ||
		!again.ProtoAtLeast(1, 1) || !reflect.DeepEqual(again.Header, r.Header) {
		t.Errorf("got %+v of %+v", again, got)
	}
}

func TestRequestsThatCannotBe(t *testing.T) {
	for name, data := range map[string]string{
		"nothing":                     "",
		"of another version":          "\x02\x01\x02{}",
		"a head longer than there is": "\x01\x01\x7f{}",
		"a head that is no object":    "\x01\x01\x02[]",
	} {
		if _, err := parseRequest([]byte(data)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for name, h := range map[string]requestHead{
		"no address":        {Method: "GET", Proto: "HTTP/1.1"},
		"no protocol":       {Method: "GET", URL: "/"},
		"not a certificate": {Method: "GET", URL: "/", Proto: "HTTP/1.1", TLS: true, Certs: [][]byte{{1}}},
	} {
		if h.apply(new(http.Request)) == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestPiece(t *testing.T) {
	for _, p := range []piece{
		{flags: pieceHead | pieceEnd, n: 7, head: answerHead{201, http.Header{"A": {"b", "c"}}}, data: []byte("x")},
		{data: []byte("more")},
		{flags: pieceRefused | pieceEnd, data: []byte{}},
	} {
		data, err := p.append(nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := parsePiece(data); err != nil || !reflect.DeepEqual(got, p) {
			t.Errorf("got %+v, %v; want %+v", got, err, p)
		}
	}
	for _, data := range []string{"", "\x01", "\x01\x00\x05{}", "\x01\x00\x02{}", "\x01\x00\x0e{\"status\":100}", "\x00\xff"} {
		if p, err := parsePiece([]byte(data)); err == nil {
			t.Errorf("%q: got %+v", data, p)
		}
	}
}

func TestNews(t *testing.T) {
	m := news{newsTaken, 1 << 40, "mochibosh.back.a.life.1"}
	if got, err := parseNews(m.append(nil)); err != nil || got != m {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, data := range []string{"", "t", "t\xff"} {
		if _, err := parseNews([]byte(data)); err == nil {
			t.Errorf("%q: no error", data)
		}
	}
}

func TestRecord(t *testing.T) {
	for _, owner := range []string{"a", ""} {
		got, snapshot, err := parseRecord(appendRecord(nil, owner, []byte("snapshot")))
		if err != nil || got != owner || string(snapshot) != "snapshot" {
			t.Errorf("got %q, %q, %v", got, snapshot, err)
		}
	}
	for _, data := range []string{"", "\x02", "\x01", "\x01\x05ab", "\x01\x01 "} {
		if _, _, err := parseRecord([]byte(data)); err == nil {
			t.Errorf("%q: no error", data)
		}
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]bool{"a": true, "gw-1_B": true, "": false, "a.b": false, "a b": false, "*": false, ">": false, strings.Repeat("a", 64): false} {
		if got := ValidName(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}

// What can be read of a message is written as it was.
func FuzzWire(f *testing.F) {
	f.Add([]byte("\x01\x01\x20{\"method\":\"GET\",\"url\":\"/push/sse\"}"))
	f.Add([]byte("\x03\x00\x0e{\"status\":200}data"))
	f.Add([]byte("t\x05subject"))
	f.Add([]byte("\x01\x01asnapshot"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if r, err := parseRequest(data); err == nil {
			r.head.apply(new(http.Request))
			again, err := r.append(nil)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := parseRequest(again); err != nil || got.hops != r.hops || !bytes.Equal(got.body, r.body) {
				t.Errorf("%+v becomes %+v, %v", r, got, err)
			}
		}
		if p, err := parsePiece(data); err == nil {
			again, err := p.append(nil)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := parsePiece(again); err != nil || got.flags != p.flags || got.head.Status != p.head.Status || !bytes.Equal(got.data, p.data) {
				t.Errorf("%+v becomes %+v, %v", p, got, err)
			}
		}
		if m, err := parseNews(data); err == nil {
			if got, err := parseNews(m.append(nil)); err != nil || got != m {
				t.Errorf("%+v becomes %+v, %v", m, got, err)
			}
		}
		if owner, snapshot, err := parseRecord(data); err == nil {
			if o, s, err := parseRecord(appendRecord(nil, owner, snapshot)); err != nil || o != owner || !bytes.Equal(s, snapshot) {
				t.Errorf("%q becomes %q", data, s)
			}
		}
	})
}
