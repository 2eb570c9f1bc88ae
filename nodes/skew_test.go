package nodes

import (
	"errors"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/mochibosh/mochibosh/transport"
)

// What nodes of version 1 say and store, byte for byte: it has to be read for as long
// as servers may be replaced one after the other.
const (
	requestOf1 = "\x01\x01\x7f" + `{"method":"POST","url":"/push","host":"gw.example","remote":"192.0.2.1:5","proto":"HTTP/1.1","header":{"Origin":["https://a"]}}` + "body"
	pieceOf1   = "\x03\x05\x29" + `{"status":200,"header":{"X-A":["1","2"]}}` + "data"
	newsOf1    = "t\x80\x80\x01mochibosh.back.n1.life.z"
	beatOf1    = `{"node":"n2","life":"a","leaving":true}`
	recordOf1  = "\x01\x02n2snapshot"
)

// The same from a later version, which knows more.
const (
	requestOf2 = "\x01\x01\x8c\x01" + `{"method":"POST","url":"/push","priority":5,"host":"gw.example","remote":"192.0.2.1:5","proto":"HTTP/1.1","header":{"Origin":["https://a"]}}` + "body"
	pieceOf2   = "\x03\x05\x32" + `{"new":{},"status":200,"header":{"X-A":["1","2"]}}` + "data"
	beatOf2    = `{"node":"n2","zone":"west","life":"a","leaving":true}`
)

func TestOtherVersions(t *testing.T) {
	for name, data := range map[string]string{"version 1": requestOf1, "a later one": requestOf2} {
		t.Run("a request of "+name, func(t *testing.T) {
			r, err := parseRequest([]byte(data))
			if err != nil {
				t.Fatal(err)
			}
			want := requestHead{Method: "POST", URL: "/push", Host: "gw.example", Remote: "192.0.2.1:5", Proto: "HTTP/1.1", Header: http.Header{"Origin": {"https://a"}}}
			if r.hops != 1 || string(r.body) != "body" || !reflect.DeepEqual(r.head, want) {
				t.Errorf("got %+v", r)
			}
		})
	}
	for name, data := range map[string]string{"version 1": pieceOf1, "a later one": pieceOf2} {
		t.Run("a piece of an answer of "+name, func(t *testing.T) {
			p, err := parsePiece([]byte(data))
			want := piece{flags: pieceHead | pieceEnd, n: 5, head: answerHead{200, http.Header{"X-A": {"1", "2"}}}, data: []byte("data")}
			if err != nil || !reflect.DeepEqual(p, want) {
				t.Errorf("got %+v, %v", p, err)
			}
		})
	}
	t.Run("news of version 1", func(t *testing.T) {
		if m, err := parseNews([]byte(newsOf1)); err != nil || m != (news{newsTaken, 16384, "mochibosh.back.n1.life.z"}) {
			t.Errorf("got %+v, %v", m, err)
		}
	})
	t.Run("news of a kind that is not known", func(t *testing.T) {
		n := new(Node)
		w := &reply{node: n, back: "b"}
		n.in.Store("b", w)
		m := news{'?', 0, "b"}
		n.about(m.append(nil)) // is nothing
	})
	for name, data := range map[string]string{"version 1": beatOf1, "a later one": beatOf2} {
		t.Run("a sign of life of "+name, func(t *testing.T) {
			n, err := Join(Options{Conn: new(nats.Conn), Name: "n1"})
			if err != nil {
				t.Fatal(err)
			}
			n.hear(&nats.Msg{Data: []byte(data)})
			if p := n.peers["n2"]; p == nil || p.life != "a" || !p.leaving || time.Since(p.heard) > time.Minute {
				t.Errorf("got %+v", p)
			}
		})
	}
	t.Run("a record of version 1", func(t *testing.T) {
		if owner, snapshot, err := parseRecord([]byte(recordOf1)); err != nil || owner != "n2" || string(snapshot) != "snapshot" {
			t.Errorf("got %q, %q, %v", owner, snapshot, err)
		}
	})
	// Whoever cannot read a session must not take it for none: its client comes again,
	// and to another node.
	t.Run("a record in a format that is not known", func(t *testing.T) {
		if _, _, err := parseRecord([]byte("\x02...")); !errors.Is(err, transport.ErrSnapshot) || errors.Is(err, transport.ErrNoSession) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a request in a format that is not known", func(t *testing.T) {
		if _, err := parseRequest([]byte("\x02...")); err == nil {
			t.Error("it was read")
		}
	})
}
