package attacks

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// Connections above the limit of one client are closed at once, and cost nobody
// else anything: trusted proxies have other clients behind them.
func TestConnectionFlood(t *testing.T) {
	s := serve(t, "--max-connections-per-ip=100", "--trusted-proxies=127.0.0.2")
	for range 1000 {
		c, err := net.DialTimeout("tcp", s.addr, patience)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	proxy := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}, Timeout: patience}
	through := &http.Client{Timeout: patience, Transport: &http.Transport{DialContext: proxy.DialContext}}
	defer through.CloseIdleConnections()
	for range 3 {
		resp, err := through.Get(s.url + "/healthz")
		if err != nil {
			t.Fatalf("somebody else: %v", err)
		}
		resp.Body.Close()
	}
	s.until("too many connections of one (client)")
}

// Connections that all clients have together are bounded, too, and there is room
// again when they are gone.
func TestConnectionFloodOfMany(t *testing.T) {
	s := serve(t, "--max-connections=100")
	var conns []net.Conn
	for range 1000 {
		conns = append(conns, s.dial())
	}
	s.until("(too many connections)")
	for _, c := range conns {
		c.Close()
	}
	for late := time.Now().Add(patience); ; {
		c := s.dial()
		io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		if data, _ := io.ReadAll(c); len(data) > 0 {
			break
		}
		if time.Now().After(late) {
			t.Fatal("no room")
		}
	}
	s.wantWell()
}

// Sessions of one client have a rate and a number; others have theirs.
func TestSessionFlood(t *testing.T) {
	s := serve(t, "--session-rate=50", "--max-sessions-per-ip=40")
	made := map[int]int{}
	for range 100 {
		made[s.call("POST", "/push", "{}", "X-Forwarded-For: 192.0.2.1").StatusCode]++
		made[s.call("POST", "/http-bind", body("rid='1' to='bus'", ""), "X-Forwarded-For: 192.0.2.1").StatusCode]++
	}
	if got := made[201] + made[200]; got != 40 || made[429] != 160 {
		t.Errorf("%v", made)
	}
	if a := s.call("POST", "/push", "{}", "X-Forwarded-For: 192.0.2.2"); a.StatusCode != 201 {
		t.Errorf("somebody else: %s", a.Status)
	}
}

// A client that fills topics and history gets to their limits, and no further.
func TestTopicFlood(t *testing.T) {
	s := serve(t, "--max-topics=100")
	refused := 0
	for n := range 300 {
		if s.call("POST", "/api/publish", fmt.Sprintf(`{"topic":"flood%d","data":1}`, n)).StatusCode == 503 {
			refused++
		}
	}
	if refused != 200 {
		t.Errorf("%d of 300 were refused", refused)
	}
}
