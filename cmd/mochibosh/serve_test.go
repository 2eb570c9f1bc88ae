package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

const creation = `<body xmlns='http://jabber.org/protocol/httpbind' rid='1' to='bus' ver='1.6' wait='60' hold='1'/>`

// a domain whose server nobody connects to in the tests that have no Prosody
const someDomain = "--xmpp=a.example=127.0.0.1:1?tls=off"

func TestEndpoints(t *testing.T) {
	p := start(t, someDomain)
	t.Run("H-14 T-34 BOSH, with and without the slash, never redirected", func(t *testing.T) {
		for _, path := range []string{"/http-bind", "/http-bind/"} {
			call(t, "POST", p.url+path, creation, "Content-Type: text/xml").wantStatus(t, 200).wantBody(t, " sid='")
		}
		for _, path := range []string{"//http-bind", "/./http-bind", "/x/../http-bind"} {
			if got := call(t, "POST", p.url+path, creation).StatusCode; got != 404 {
				t.Errorf("%s: %d", path, got)
			}
		}
	})
	t.Run("H-01 H-02 people and other methods", func(t *testing.T) {
		call(t, "GET", p.url+"/http-bind", "").wantStatus(t, 200).wantBody(t, "BOSH")
		if a := call(t, "PUT", p.url+"/http-bind", "").wantStatus(t, 405); a.Header.Get("Allow") == "" {
			t.Error("no Allow")
		}
	})
	t.Run("push.v1 and publishing", func(t *testing.T) {
		call(t, "POST", p.url+"/push", "{}").wantStatus(t, 201).wantBody(t, `"session"`)
		call(t, "POST", p.url+"/api/publish", `{"topic":"news","data":1}`).wantStatus(t, 200).wantBody(t, `"offset":1`)
		call(t, "GET", p.url+"/push/sse", "").wantStatus(t, 403)
		call(t, "GET", p.url+"/push/ws", "").wantStatus(t, 400)
	})
	t.Run("host-meta", func(t *testing.T) {
		call(t, "GET", p.url+"/.well-known/host-meta", "", "Host: a.example").wantStatus(t, 200).wantBody(t, "https://a.example/http-bind", "wss://a.example/xmpp-websocket")
		call(t, "GET", p.url+"/.well-known/host-meta.json", "", "Host: a.example").wantStatus(t, 200).wantBody(t, `"href":"https://a.example/http-bind"`)
		call(t, "GET", p.url+"/.well-known/host-meta", "").wantStatus(t, 200).wantBody(t, p.url+"/http-bind")
		call(t, "GET", p.url+"/.well-known/host-meta", "", "Host: b.example").wantStatus(t, 404)
		call(t, "GET", p.url+"/.well-known/host-meta", "", "Host: 127.0.0.1", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Host: a.example:8443", "X-Forwarded-Proto: https").
			wantStatus(t, 200).wantBody(t, "https://a.example:8443/http-bind")
	})
	t.Run("health", func(t *testing.T) {
		call(t, "GET", p.url+"/healthz", "").wantStatus(t, 200)
		call(t, "GET", p.url+"/readyz", "").wantStatus(t, 200).wantBody(t, "ready")
	})
	t.Run("metrics", func(t *testing.T) {
		a := call(t, "GET", p.url+"/metrics", "").wantStatus(t, 200)
		for _, want := range []string{
			`mochibosh_sessions{protocol="bosh"} 2`,
			`mochibosh_sessions{protocol="push.v1"} 1`,
			`mochibosh_sessions_started_total{protocol="bosh"} 2`,
			`mochibosh_session_window_requests_count{protocol="bosh"} 2`,
			`mochibosh_http_requests_total{code="200",endpoint="bosh"}`,
			`mochibosh_http_requests_open{endpoint="bosh"} 0`,
			`mochibosh_http_request_seconds_count{endpoint="bosh"}`,
			`mochibosh_sessions_remembered 0`,
			`go_goroutines`, `process_resident_memory_bytes`,
		} {
			a.wantBody(t, want)
		}
	})
	t.Run("local means this machine, by its name", func(t *testing.T) {
		for _, path := range []string{"/metrics", "/push", "/api/publish"} {
			call(t, "POST", p.url+path, "", "X-Forwarded-For: 192.0.2.1").wantStatus(t, 403)
			call(t, "POST", p.url+path, "", "Host: rebound.example").wantStatus(t, 403)
		}
		call(t, "POST", p.url+"/http-bind", creation, "X-Forwarded-For: 192.0.2.1").wantBody(t, "host-unknown")
	})
}

func TestRepeatsAreCounted(t *testing.T) {
	p := start(t)
	sid := cut(call(t, "POST", p.url+"/http-bind", creation).body, "sid='", "'")
	poll := fmt.Sprintf(`<body xmlns='http://jabber.org/protocol/httpbind' rid='2' sid='%s' type='terminate'/>`, sid)
	call(t, "POST", p.url+"/http-bind", poll).wantStatus(t, 200)
	call(t, "POST", p.url+"/http-bind", poll).wantStatus(t, 200)
	call(t, "GET", p.url+"/metrics", "").wantBody(t,
		`mochibosh_repeats_total{protocol="bosh"} 1`,
		`mochibosh_sessions_ended_total{condition="normal",protocol="bosh"} 1`,
		`mochibosh_sessions{protocol="bosh"} 0`)
}

func cut(s, from, to string) string {
	_, s, _ = strings.Cut(s, from)
	s, _, _ = strings.Cut(s, to)
	return s
}

func TestPagesCanReadEveryAnswer(t *testing.T) {
	const page = "https://chat.example"
	p := start(t, someDomain, "--allow-origin="+page, "--max-sessions=1")
	preflight := []string{"Origin: " + page, "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: content-type"}
	t.Run("C-01 C-02 C-03 C-04 C-05 C-06 C-09 preflights are answered, to be remembered", func(t *testing.T) {
		for _, path := range []string{"/http-bind", "/http-bind/", "/push"} {
			h := call(t, "OPTIONS", p.url+path, "", preflight...).wantStatus(t, 204).Header
			if h.Get("Access-Control-Allow-Origin") != page || !strings.Contains(strings.ToLower(h.Get("Access-Control-Allow-Headers")), "content-type") ||
				!strings.Contains(h.Get("Access-Control-Allow-Methods"), "POST") || h.Get("Access-Control-Max-Age") != "7200" {
				t.Errorf("%s: %v", path, h)
			}
		}
	})
	call(t, "POST", p.url+"/http-bind", creation).wantStatus(t, 200)
	tests := []struct {
		name, method, path, body string
		status                   int
	}{
		{"an unknown sid", "POST", "/http-bind", `<body xmlns='http://jabber.org/protocol/httpbind' rid='1' sid='x'/>`, 200},
		{"no XML", "POST", "/http-bind", "{}", 200},
		{"a full server", "POST", "/http-bind", creation, 503},
		{"a full server for push", "POST", "/push", "{}", 503},
		{"a full server for WebSockets", "GET", "/xmpp-websocket", "", 503},
		{"a method", "PUT", "/http-bind", "", 405},
		{"a method for WebSockets", "POST", "/xmpp-websocket", "", 405},
		{"nothing there", "GET", "/http-bint", "", 404},
		{"below", "POST", "/http-bind/x", creation, 404},
		{"health", "GET", "/healthz", "", 200},
	}
	for _, test := range tests {
		t.Run("C-07 C-08 C-10 "+test.name, func(t *testing.T) {
			a := call(t, test.method, p.url+test.path, test.body, "Origin: "+page).wantStatus(t, test.status)
			if a.Header.Get("Access-Control-Allow-Origin") != page || a.Header.Get("Access-Control-Allow-Credentials") != "true" || !strings.Contains(strings.Join(a.Header.Values("Vary"), ","), "Origin") {
				t.Errorf("%v", a.Header)
			}
			if test.status == 503 && a.Header.Get("Retry-After") == "" {
				t.Error("H-16 no Retry-After")
			}
		})
	}
	t.Run("C-12 C-19 other pages are refused, whatever they send", func(t *testing.T) {
		for _, path := range []string{"/http-bind", "/push"} {
			a := call(t, "POST", p.url+path, creation, "Origin: https://evil.example", "Content-Type: text/plain").wantStatus(t, 403)
			if a.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%v", a.Header)
			}
		}
		call(t, "GET", p.url+"/xmpp-websocket", "", "Origin: https://evil.example").wantStatus(t, 503) // no session for anybody
	})
	t.Run("C-11 no page is null", func(t *testing.T) {
		call(t, "POST", p.url+"/http-bind", creation, "Origin: null").wantStatus(t, 403)
	})
	t.Run("the server is not ready for more", func(t *testing.T) {
		call(t, "GET", p.url+"/readyz", "").wantStatus(t, 503)
		call(t, "GET", p.url+"/healthz", "").wantStatus(t, 200)
	})
}

func TestAnyOrigin(t *testing.T) {
	p := start(t, someDomain, "--allow-origin=*")
	for _, path := range []string{"/http-bind", "/nothing"} {
		a := call(t, "POST", p.url+path, creation)
		if a.Header.Get("Access-Control-Allow-Origin") != "*" || a.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("C-10 %s: %v", path, a.Header)
		}
	}
}

func TestHTTP2AndTLS(t *testing.T) {
	cert, key := certificate(t, "gw.example")
	p := start(t, "--xmpp=a.example="+deafServer(t)+"?tls=off", "--bosh-opening-wait=-1s", "--tls-listen=127.0.0.1:0", "--tls-cert="+cert, "--tls-key="+key)
	secure := "https://" + p.address[1]
	protocols := func(set func(*http.Protocols)) *http.Transport {
		tr := &http.Transport{Protocols: new(http.Protocols), TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
		set(tr.Protocols)
		t.Cleanup(tr.CloseIdleConnections)
		return tr
	}
	tests := []struct {
		name, url string
		transport *http.Transport
		major     int
	}{
		{"H-19 HTTP/2 over TLS", secure, protocols(func(p *http.Protocols) { p.SetHTTP2(true) }), 2},
		{"H-19 HTTP/2 in clear", p.url, protocols(func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) }), 2},
		{"HTTP/1.1 over TLS", secure, protocols(func(p *http.Protocols) { p.SetHTTP1(true) }), 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			resp, err := (&http.Client{Transport: test.transport, Timeout: 20 * time.Second}).Post(test.url+"/http-bind", "text/xml", strings.NewReader(creation))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			data, _ := io.ReadAll(resp.Body)
			if resp.ProtoMajor != test.major || !bytes.Contains(data, []byte("sid='")) {
				t.Errorf("%s %s", resp.Proto, data)
			}
		})
	}
	t.Run("B-19.4 what is made over TLS is not for requests in clear, also behind a proxy", func(t *testing.T) {
		sid := cut(call(t, "POST", p.url+"/http-bind", strings.Replace(creation, "to='bus'", "to='a.example'", 1), "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https").body, "sid='", "'")
		if sid == "" {
			t.Fatal("no session")
		}
		r, _ := http.NewRequest("POST", p.url+"/http-bind", strings.NewReader(`<body xmlns='http://jabber.org/protocol/httpbind' rid='2' sid='`+sid+`'/>`))
		r.Header.Set("X-Forwarded-For", "192.0.2.1")
		r.Header.Set("X-Forwarded-Proto", "http")
		if resp, err := http.DefaultClient.Do(r); err == nil {
			resp.Body.Close()
			t.Errorf("answered with %s", resp.Status)
		}
	})
}

func TestClientLimits(t *testing.T) {
	t.Attr("requirements", "R-13.4")
	make := func(p *process, client string) answer {
		return call(t, "POST", p.url+"/http-bind", `<body xmlns='http://jabber.org/protocol/httpbind' rid='1' to='a.example' ver='1.6'/>`, "X-Forwarded-For: "+client)
	}
	t.Run("sessions at once", func(t *testing.T) {
		p := start(t, "--xmpp=a.example="+deafServer(t)+"?tls=off", "--max-sessions-per-ip=2", "--bosh-opening-wait=-1s")
		make(p, "192.0.2.1").wantStatus(t, 200)
		sid := cut(make(p, "192.0.2.1").wantStatus(t, 200).body, "sid='", "'")
		if a := make(p, "192.0.2.1").wantStatus(t, 429); a.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		make(p, "192.0.2.2").wantStatus(t, 200)
		call(t, "GET", p.url+"/xmpp-websocket", "", "X-Forwarded-For: 192.0.2.1").wantStatus(t, 429)
		call(t, "GET", p.url+"/xmpp-websocket", "", "X-Forwarded-For: 192.0.2.2").wantStatus(t, 400)
		make(p, "192.0.2.1, 198.51.100.1").wantStatus(t, 200) // who writes more is not somebody else
		make(p, "10.0.0.9, 192.0.2.1").wantStatus(t, 429)
		call(t, "POST", p.url+"/http-bind", `<body xmlns='http://jabber.org/protocol/httpbind' rid='2' type='terminate' sid='`+sid+`'/>`, "X-Forwarded-For: 192.0.2.1").wantStatus(t, 200)
		make(p, "192.0.2.1").wantStatus(t, 200)
	})
	t.Run("a network of IPv6 is one client", func(t *testing.T) {
		p := start(t, "--xmpp=a.example="+deafServer(t)+"?tls=off", "--max-sessions-per-ip=1", "--bosh-opening-wait=-1s")
		make(p, "2001:db8::1").wantStatus(t, 200)
		make(p, "2001:db8::2").wantStatus(t, 429)
		make(p, "2001:db8:0:1::1").wantStatus(t, 200)
	})
	t.Run("sessions a minute", func(t *testing.T) {
		p := start(t, "--xmpp=a.example="+deafServer(t)+"?tls=off", "--session-rate=2", "--bosh-opening-wait=-1s")
		make(p, "192.0.2.1").wantStatus(t, 200)
		make(p, "192.0.2.1").wantStatus(t, 200)
		make(p, "192.0.2.1").wantStatus(t, 429)
		make(p, "192.0.2.2").wantStatus(t, 200)
	})
	t.Run("in logs", func(t *testing.T) {
		p := start(t, someDomain, "--log-level=debug")
		make(p, "192.0.2.77")
		p.until(`session started.* client=192\.0\.2\.77:0 via=127\.0\.0\.1`)
		p.until(`msg=request method=POST path=/http-bind status=200 .*client=192\.0\.2\.77:0`)
	})
}

// deafServer takes connections, and says nothing.
func deafServer(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(io.Discard, c); c.Close() }()
		}
	}()
	return l.Addr().String()
}

func TestProxyProtocol(t *testing.T) {
	ask := func(t *testing.T, p *process, head string) string {
		t.Helper()
		c, err := net.Dial("tcp", p.address[0])
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(20 * time.Second))
		fmt.Fprintf(c, "%sPOST /http-bind HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", head, len(creation), creation)
		data, _ := io.ReadAll(c)
		return string(data)
	}
	const v1 = "PROXY TCP4 192.0.2.9 198.51.100.1 4000 443\r\n"
	v2 := "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + "\xc0\x00\x02\x0a" + "\xc6\x33\x64\x01" + "\x0f\xa0" + "\x01\xbb"
	t.Run("from a trusted proxy", func(t *testing.T) {
		p := start(t, someDomain, "--proxy-protocol", "--log-level=debug")
		ask(t, p, v1)
		p.until(`msg=request .*client=192\.0\.2\.9:4000`)
		ask(t, p, v2)
		p.until(`msg=request .*client=192\.0\.2\.10:4000`)
		if got := ask(t, p, ""); strings.Contains(got, "200 OK") {
			t.Errorf("without it: %s", got)
		}
	})
	t.Run("not from others", func(t *testing.T) {
		p := start(t, someDomain, "--proxy-protocol", "--trusted-proxies=192.0.2.0/24", "--log-level=debug")
		if got := ask(t, p, v1); strings.Contains(got, "200 OK") {
			t.Errorf("%s", got)
		}
		ask(t, p, "")
		p.until(`msg=request .*client=127\.0\.0\.1:\d+`)
	})
	t.Run("not where nobody asked for it", func(t *testing.T) {
		if got := ask(t, start(t, someDomain), v1); !strings.HasPrefix(got, "HTTP/1.1 400") {
			t.Errorf("%s", got)
		}
	})
}

func TestReload(t *testing.T) {
	certPEM, keyPEM := certificatePEM(t, "old.example")
	cert, key := writeFile(t, "cert.pem", certPEM), writeFile(t, "key.pem", keyPEM)
	file := writeFile(t, "c.toml", "xmpp = 'a.example=127.0.0.1:1?tls=off'\nlog-level = 'info'\n")
	p := start(t, "--config="+file, "--tls-listen=127.0.0.1:0", "--tls-cert="+cert, "--tls-key="+key)
	name := func() string {
		c, err := tls.Dial("tcp", p.address[1], &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].DNSNames[0]
	}
	serves := func(domain string) bool {
		return call(t, "GET", p.url+"/.well-known/host-meta", "", "Host: "+domain).StatusCode == 200
	}
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if name() != "old.example" || !serves("a.example") || serves("b.example") {
		t.Fatal("not as configured")
	}

	certPEM, keyPEM = certificatePEM(t, "new.example")
	write(cert, certPEM)
	write(key, keyPEM)
	write(file, "xmpp = ['b.example=127.0.0.1:1?tls=off']\nbosh-hold = 2\n")
	p.signal(syscall.SIGHUP)
	p.until(`msg=changed setting=xmpp from=\S*a\.example\S* to=\S*b\.example`)
	p.until(`needs a restart" setting=bosh-hold from=1 to=2`)
	p.until(`msg=reloaded domains=1`)
	if name() != "new.example" || serves("a.example") || !serves("b.example") {
		t.Error("not as configured anew")
	}

	write(file, "xmpp = 'c.example?tls=what'\n")
	p.signal(syscall.SIGHUP)
	p.until(`level=ERROR msg="not reloaded`)
	write(file, "xmpp = 'c.example'\n")
	write(cert, "no certificate")
	p.signal(syscall.SIGHUP)
	p.until(`level=ERROR msg="not reloaded`)
	if name() != "new.example" || serves("c.example") || !serves("b.example") {
		t.Error("a bad file changed something")
	}
	call(t, "GET", p.url+"/metrics", "").wantBody(t, `mochibosh_reloads_total{result="done"} 1`, `mochibosh_reloads_total{result="failed"} 2`)
}

func TestShutdown(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(s.String(), func(t *testing.T) {
			p := start(t, "--shutdown-delay=300ms")
			sid := cut(call(t, "POST", p.url+"/http-bind", creation).body, "sid='", "'")
			told := make(chan string, 1)
			go func() {
				resp, err := http.Post(p.url+"/http-bind", "text/xml", strings.NewReader(`<body xmlns='http://jabber.org/protocol/httpbind' rid='2' sid='`+sid+`'/>`))
				if err != nil {
					told <- err.Error()
					return
				}
				defer resp.Body.Close()
				data, _ := io.ReadAll(resp.Body)
				told <- string(data)
			}()
			for !strings.Contains(call(t, "GET", p.url+"/metrics", "").body, `mochibosh_http_requests_open{endpoint="bosh"} 1`) {
			}
			p.signal(s)
			p.until("shutting down")
			call(t, "GET", p.url+"/readyz", "").wantStatus(t, 503)
			call(t, "GET", p.url+"/healthz", "").wantStatus(t, 200)
			if got := <-told; !strings.Contains(got, "condition='system-shutdown'") {
				t.Errorf("the client was told %q", got)
			}
			p.wantExit(0)
		})
	}
}

func TestAddressInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	out, err := program("serve", someDomain, "--listen="+l.Addr().String()).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "in use") {
		t.Errorf("%v: %s", err, out)
	}
}
