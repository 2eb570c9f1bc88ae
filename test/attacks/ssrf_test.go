package attacks

import (
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gorilla/websocket"
)

// Nothing that a request can name makes the server connect to anybody: the only
// addresses are those of the configuration.
func TestSSRF(t *testing.T) {
	victim, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer victim.Close()
	var visits atomic.Int32
	go func() {
		for {
			c, err := victim.Accept()
			if err != nil {
				return
			}
			visits.Add(1)
			c.Close()
		}
	}()
	target := victim.Addr().String()
	_, port, _ := net.SplitHostPort(target)
	s := serve(t, "--xmpp=a.example=127.0.0.1:1?tls=off", "--connect-retry=-1s", "--bosh-opening-wait=1s")
	for _, attributes := range []string{
		"to='a.example' route='xmpp:" + target + "'",
		"to='a.example' route='xmpp:localhost:" + port + "'",
		"to='bus' route='xmpp:" + target + "'",
		"to='" + target + "'",
		"to='127.0.0.1'", "to='localhost'", "to='http://" + target + "/'", "to='a.example:" + port + "'", "to='a.example@" + target + "'",
		"to='user@" + target + "/a.example'", "to='A.EXAMPLE.' route='xmpp:" + target + "'", "to='xn--a.example'", "to='[::1]'", "to='0x7f000001'",
		"to='a.example' xmpp:version='1.0' xmlns:xmpp='urn:xmpp:xbosh' secure='true' from='" + target + "'",
	} {
		a := s.call("POST", "/http-bind", body("rid='1' ver='1.6' wait='1' "+attributes, ""))
		_, rest, _ := strings.Cut(a.body, " sid='")
		if sid, _, ok := strings.Cut(rest, "'"); ok { // the same in a stream to add, and a restart
			s.call("POST", "/http-bind", body("rid='2' sid='"+sid+"' to='"+target+"' route='xmpp:"+target+"'", ""))
			s.call("POST", "/http-bind", body("rid='3' sid='"+sid+"' to='"+target+"' xmpp:restart='true' xmlns:xmpp='urn:xmpp:xbosh'", ""))
		}
	}
	for _, to := range []string{target, "localhost:" + port, "a.example:" + port} {
		d := websocket.Dialer{Subprotocols: []string{"xmpp"}}
		ws, _, err := d.Dial("ws://"+s.addr+"/xmpp-websocket", nil)
		if err != nil {
			t.Fatal(err)
		}
		ws.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='%s' version='1.0'/>", to))
		ws.SetReadDeadline(deadline())
		ws.ReadMessage()
		ws.Close()
	}
	s.call("POST", "/push", `{"to":"`+target+`"}`)
	s.call("POST", "/push", `{"to":"http://`+target+`/"}`)
	for _, request := range []string{
		"GET http://" + target + "/ HTTP/1.1\r\nHost: " + target + "\r\nConnection: close\r\n\r\n",
		"CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\nConnection: close\r\n\r\n",
		"GET //" + target + "/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
		"GET /.well-known/host-meta HTTP/1.1\r\nHost: " + target + "\r\nConnection: close\r\n\r\n",
		"GET /push HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-Host: " + target + "\r\nX-Forwarded-For: " + target + "\r\nX-Original-URL: http://" + target + "/\r\nReferer: http://" + target + "/\r\nConnection: close\r\n\r\n",
	} {
		got := s.raw(request)
		wantNot(t, "a redirect", got, "\r\nLocation: ")
		wantNot(t, "a tunnel", got, "200 Connection")
	}
	if n := visits.Load(); n > 0 {
		t.Errorf("%d connections were made", n)
	}
	s.wantWell()
}
