package proxies

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestCarriers has messages go down and up on every carrier, as they come.
func TestCarriers(t *testing.T) {
	_, upstream := serve(t)
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			p := k.start(t, upstream, 90*time.Second)
			for _, carrier := range carriers {
				for _, http2 := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s, HTTP/2 %v", carrier.name, http2), func(t *testing.T) {
						t.Parallel()
						topic := strings.ReplaceAll(t.Name(), "/", "-")
						s := open(t, carrier, newClient(t, p.addr, http2), topic)
						for n := range 5 {
							began := time.Now()
							publish(t, upstream, topic, fmt.Sprint("down ", n))
							s.want(t, fmt.Sprint("down ", n))
							// What is buffered comes never, or when a poll is over (25 s).
							if took := time.Since(began); took > 5*time.Second {
								t.Errorf("it took %v", took)
							}
							if err := s.publish(topic, fmt.Sprint("up ", n)); err != nil {
								t.Fatal(err)
							}
							s.want(t, fmt.Sprint("up ", n))
						}
						s.end(t)
						if s.cuts > 0 {
							t.Errorf("%d connections were cut", s.cuts)
						}
					})
				}
			}
		})
	}
}

// TestClientAddress asks the server's log who the client is: a request that is
// no BOSH is logged with it.
func TestClientAddress(t *testing.T) {
	server, upstream := serve(t)
	for _, k := range kinds {
		p := k.start(t, upstream, 90*time.Second)
		for i, forged := range [][]string{
			nil,
			{"X-Forwarded-For: 198.51.100.7"},
			{"X-Forwarded-For: 198.51.100.7, 127.0.0.1"},
			{"Forwarded: for=198.51.100.7;proto=http;host=evil.example"},
			{"X-Forwarded-For: 198.51.100.7", "Forwarded: for=198.51.100.7"},
			{"X-Real-Ip: 198.51.100.7", "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: http"},
			{"Connection: X-Forwarded-For, X-Forwarded-Proto"},
		} {
			before := strings.Count(server.log(), "remote="+clientAddr)
			newClient(t, p.addr, i%2 == 1).call("POST", "/http-bind", "nothing", forged...)
			server.until(before+1, "remote="+clientAddr)
			if strings.Contains(server.log(), "198.51.100.7") {
				t.Fatalf("%s: %q is believed", k.name, forged)
			}
		}
	}
	if regexp.MustCompile(`path=/http-bind .*tls=false`).MatchString(server.log()) {
		t.Error("the server takes a request for one in clear")
	}
}

// TestInside asks for what clients have no business with.
func TestInside(t *testing.T) {
	_, upstream := serve(t, "--metrics=on")
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			p := k.start(t, upstream, 90*time.Second)
			c := newClient(t, p.addr, false)
			c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			for _, path := range []string{
				"/api/publish", "/api/openapi.json", "//api/publish", "/push/../api/publish", "/push/doctor/../../api/publish",
				"/push/doctor/..%2f..%2fapi/publish", "/mochi/%2e%2e/api/publish", "/API/publish", "/push/%2e%2e/metrics",
				"/metrics", "/healthz", "/readyz", "/console/", "/", "/pushx", "/http-bind/x",
			} {
				for _, method := range []string{"GET", "POST"} {
					status, body := c.call(method, path, `{"topic":"x","data":1}`)
					if status < 300 || strings.Contains(body, "offset") || strings.Contains(body, "mochibosh_") {
						t.Errorf("%s %s answered with %d %s", method, path, status, body)
					}
				}
			}
			for _, path := range []string{"/push/doctor/", "/mochi/mochi.min.js"} {
				if status, body := c.call("GET", path, ""); status != http.StatusOK {
					t.Errorf("%s answered with %d %s", path, status, body)
				}
			}
		})
	}
}

// TestTooBig has the server say what is too big, in the words of the protocol.
// What is far too big for anybody, the proxy may refuse.
func TestTooBig(t *testing.T) {
	_, upstream := serve(t)
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			p := k.start(t, upstream, 90*time.Second)
			for _, http2 := range []bool{false, true} {
				c := newClient(t, p.addr, http2)
				status, body := c.call("POST", "/push", `{"messages":["`+strings.Repeat("x", 300<<10)+`"]}`)
				if status != http.StatusRequestEntityTooLarge || !strings.Contains(body, `"too-big"`) {
					t.Errorf("300 KiB are answered with %d %s", status, body)
				}
				// Of what is far too big, the rest is not read: a proxy that is still
				// writing it may have its own word for that.
				status, body, err := c.try(t.Context(), "POST", "/push", strings.Repeat("x", 3<<20))
				if err == nil && status < 400 {
					t.Errorf("3 MiB are answered with %d %s", status, body)
				}
			}
		})
	}
}

// TestSilence has nothing happen for longer than the proxy bears, in front of a
// server that says something in time where it is told to (and is full, which
// concerns nobody who is there already). A request that is held for longer is
// cut: that the time-outs are what the files say, deploy's tests check.
func TestSilence(t *testing.T) {
	const silence = 3 * time.Second
	_, upstream := serve(t, "--push-wait=1s", "--websocket-ping=1s", "--bosh-wait=6s", fmt.Sprint("--max-sessions=", len(kinds)*len(carriers)))
	type silent struct {
		kind
		carrier string
		topic   string
		*stream
	}
	var all []silent
	for _, k := range kinds {
		p := k.start(t, upstream, silence)
		for _, carrier := range carriers {
			topic := k.name + "-" + carrier.name
			all = append(all, silent{k, carrier.name, topic, open(t, carrier, newClient(t, p.addr, true), topic)})
		}
	}
	<-time.After(silence + 2*time.Second)
	for _, s := range all {
		publish(t, upstream, s.topic, "at last")
		s.want(t, "at last")
		s.end(t)
		if cut := s.cuts > 0; cut != (s.impatient && s.carrier == "bosh") {
			t.Errorf("%s: %d connections were cut", s.topic, s.cuts)
		}
	}
}

// TestReload reloads the proxy while messages come. Connections may end; no
// message is lost, comes twice, or before another.
func TestReload(t *testing.T) {
	_, upstream := serve(t)
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			p := k.start(t, upstream, 90*time.Second)
			topic := strings.ReplaceAll(t.Name(), "/", "-")
			var streams []*stream
			for _, carrier := range carriers {
				streams = append(streams, open(t, carrier, newClient(t, p.addr, true), topic))
			}
			for n := range 60 {
				if n == 30 {
					p.reload()
				}
				publish(t, upstream, topic, fmt.Sprint(n))
			}
			for i, s := range streams {
				for n := range 60 {
					s.want(t, fmt.Sprint(n))
				}
				s.end(t)
				t.Logf("%s: %d connections ended", carriers[i].name, s.cuts)
			}
			// Whoever comes now comes to the new configuration.
			s := open(t, carriers[0], newClient(t, p.addr, true), topic)
			publish(t, upstream, topic, "last")
			s.want(t, "last")
			s.end(t)
		})
	}
}

// TestDraining has the proxies that ask notice that a server is about to go, while
// it still answers everybody.
func TestDraining(t *testing.T) {
	server, upstream := serve(t, "--shutdown-delay=1m")
	haproxy := startHAProxy(t, upstream, 90*time.Second)
	caddy := startCaddy(t, upstream, 90*time.Second)
	server.signal(syscall.SIGTERM)
	haproxy.until(1, "Server mochibosh/node1 is DOWN")
	caddy.until(1, `"status_code":503`)
}

// TestServersByName has HAProxy take the settings of deploy/docker/three-nodes.yaml.
func TestServersByName(t *testing.T) {
	p := run(t, []string{
		"MOCHIBOSH_CERT=" + bothFile, "MOCHIBOSH_UPSTREAM=nodes:8888", "MOCHIBOSH_SERVERS=3",
		"MOCHIBOSH_BIND=" + freeAddress(t), "MOCHIBOSH_CLIENTS=1000",
	}, "haproxy", "-c", "-V", "-f", shipped+"haproxy/haproxy.cfg")
	p.until(1, "Configuration file is valid")
}

// open opens a stream, and waits until it is subscribed.
func open(t *testing.T, carrier carrier, c *client, topic string) *stream {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s, err := carrier.open(ctx, c, topic)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	s.cancel = cancel
	t.Cleanup(func() { s.end(t) })
	select {
	case <-s.ready:
	case <-time.After(patience):
		t.Fatal("not subscribed")
	}
	return s
}

// want waits for a message.
func (s *stream) want(t *testing.T, data string) {
	t.Helper()
	select {
	case got, ok := <-s.data:
		if !ok || got != data {
			t.Fatalf("got %q, want %q", got, data)
		}
	case <-time.After(patience):
		t.Fatalf("no %q", data)
	}
}

// end ends the stream. Nothing else must have come.
func (s *stream) end(t *testing.T) {
	t.Helper()
	s.cancel()
	for data := range s.data {
		t.Errorf("%q came besides", data)
	}
}
