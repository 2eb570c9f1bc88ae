package xmpp

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/transport"
)

// certificate makes one that is signed by itself, for a name, from a time on.
func certificate(t testing.TB, name string, from time.Time) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name},
		NotBefore: from, NotAfter: from.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func (w *world) serveTLS(cert tls.Certificate) (*tls.Conn, error) {
	w.t.Helper()
	c := tls.Server(w.server, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"xmpp-client"}})
	err := c.Handshake()
	return c, err
}

func TestSTARTTLSBeforeTheClientSeesAnything(t *testing.T) {
	t.Attr("requirements", "R-04.10 R-04.13 R-04.14 R-05.1 R-05.3 R-05.4 R-05.9 R-05.10 W-03.32 X-04.7 T-30")
	now := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // of bubbles
	cert, pool := certificate(t, "im.example", now.Add(-time.Minute))
	inBubble(t, &Options{Routes: map[string]Route{"im.example": {Addr: "server:1", RootCAs: pool}}}, func(w *world) {
		w.say(clientOpen)
		w.accept()
		w.wantBytes("R-04.10: no from in clear", clearHeader)
		w.write(strings.Replace(serverHeader, "id='1'", "id='clear'", 1) + withSTARTTLS)
		w.wantBytes("R-05.3", starttls)
		w.write(proceed)
		c, err := w.serveTLS(cert)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.ConnectionState(); got.ServerName != "im.example" || got.NegotiatedProtocol != "" {
			t.Errorf("name %q, ALPN %q", got.ServerName, got.NegotiatedProtocol)
		}
		w.server = c
		w.wantBytes("R-05.9: a new header", tlsHeader)
		w.write(serverHeader + strings.Replace(features, "<mech", starttls+" <mech", 1))
		w.wantFrame("R-05.9: what was said in clear is forgotten", openReply)
		w.wantFrame("R-05.10: stripped, and no loop", strings.Replace(featuresReply, "<mech", " <mech", 1))
	})
}

func TestDirectTLS(t *testing.T) {
	t.Attr("requirements", "L-03.2 L-03.6 L-03.7")
	now := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	cert, pool := certificate(t, "im.example", now.Add(-time.Minute))
	inBubble(t, &Options{Routes: map[string]Route{"im.example": {Addr: "server:1", TLS: DirectTLS, RootCAs: pool}}}, func(w *world) {
		w.say(clientOpen)
		w.accept()
		c, err := w.serveTLS(cert)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.ConnectionState(); got.ServerName != "im.example" || got.NegotiatedProtocol != "xmpp-client" {
			t.Errorf("L-03.6, L-03.7: name %q, ALPN %q", got.ServerName, got.NegotiatedProtocol)
		}
		w.server = c
		w.wantBytes("the header", tlsHeader)
	})
}

func TestCertificatesAreChecked(t *testing.T) {
	t.Attr("requirements", "R-05.6 R-05.7 L-03.4")
	now := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	wrong, wrongPool := certificate(t, "other.example", now.Add(-time.Minute))
	old, oldPool := certificate(t, "im.example", now.Add(-2*time.Hour))
	self, _ := certificate(t, "im.example", now.Add(-time.Minute))
	for _, c := range []struct {
		name string
		cert tls.Certificate
		pool *x509.CertPool
	}{
		{"the wrong name", wrong, wrongPool},
		{"expired", old, oldPool},
		{"signed by nobody known", self, wrongPool},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, &Options{Routes: map[string]Route{"im.example": {Addr: "server:1", TLS: DirectTLS, RootCAs: c.pool}}}, func(w *world) {
				w.say(clientOpen)
				w.accept()
				if _, err := w.serveTLS(c.cert); err == nil {
					w.server.Read(make([]byte, 1)) // the alert
				}
				w.wantEnd("R-05.6, R-05.7, L-03.4", transport.Unreachable, texts[TLS])
			})
		})
	}
}

// Each step of the way that goes wrong, or takes for ever.
func TestHandshakeFails(t *testing.T) {
	header := func(w *world) { w.accept(); w.wantBytes("header", clearHeader) }
	for _, c := range []struct {
		name   string
		mode   TLSMode
		server func(w *world)
		end    transport.Condition
		text   string
	}{
		{"no header", NoTLS, header, transport.Unreachable, texts[Stream]},
		{"no features", NoTLS, func(w *world) { header(w); w.write(serverHeader) }, transport.Unreachable, texts[Stream]},
		{"another protocol", NoTLS, func(w *world) { header(w); go w.server.Write([]byte("220 mail ESMTP\r\n")) }, transport.Unreachable, texts[Stream]},
		{"another document", NoTLS, func(w *world) { header(w); go w.server.Write([]byte("<html><p/>")) }, transport.Unreachable, texts[Stream]},
		{"R-05.2: TLS is a must", NoTLS, func(w *world) { header(w); w.write(serverHeader + withSTARTTLS) }, transport.Unreachable, texts[TLS]},
		{"STARTTLS: no header", STARTTLS, header, transport.Unreachable, texts[Stream]},
		{"STARTTLS: no features", STARTTLS, func(w *world) { header(w); w.write(serverHeader) }, transport.Unreachable, texts[Stream]},
		{"R-05.12, R-06.7, B-19.6: STARTTLS is not offered", STARTTLS, func(w *world) { header(w); w.write(serverHeader + features) }, transport.Unreachable, texts[TLS]},
		{"R-04.24: an error instead", STARTTLS, func(w *world) {
			header(w)
			w.write(serverHeader + `<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>`)
		}, transport.BackendError, ""},
		{"STARTTLS: no answer", STARTTLS, func(w *world) {
			header(w)
			w.write(serverHeader + withSTARTTLS)
			w.wantBytes("starttls", starttls)
		}, transport.Unreachable, texts[Stream]},
		{"R-05.5: STARTTLS is refused", STARTTLS, func(w *world) {
			header(w)
			w.write(serverHeader + withSTARTTLS)
			w.wantBytes("starttls", starttls)
			w.write(`<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>`)
		}, transport.Unreachable, texts[TLS]},
		{"R-05.3: something in clear behind it", STARTTLS, func(w *world) {
			header(w)
			w.write(serverHeader + withSTARTTLS)
			w.wantBytes("starttls", starttls)
			w.write(proceed + `<stream:features/>`)
		}, transport.Unreachable, texts[TLS]},
		{"TLS: no handshake", STARTTLS, func(w *world) {
			header(w)
			w.write(serverHeader + withSTARTTLS)
			w.wantBytes("starttls", starttls)
			w.write(proceed)
		}, transport.Unreachable, texts[TLS]},
		{"direct TLS: no handshake", DirectTLS, func(w *world) { w.accept() }, transport.Unreachable, texts[TLS]},
	} {
		t.Run(c.name, func(t *testing.T) {
			var told watched
			var log bytes.Buffer
			opts := &Options{
				Routes: map[string]Route{"im.example": {Addr: "server:1", TLS: c.mode}},
				Trace:  told.trace(), Logger: slog.New(slog.NewTextHandler(&log, nil)),
			}
			inBubble(t, opts, func(w *world) {
				w.say(clientOpen)
				c.server(w)
				w.wantEnd("the client", c.end, c.text)
			})
			want := "im.example says host-unknown"
			for stage, text := range texts {
				if text == c.text {
					want = string(stage) + " im.example"
					if !strings.Contains(log.String(), "stage="+string(stage)+" ") {
						t.Errorf("the log has %s", log.String())
					}
				}
			}
			if got := told.String(); got != want {
				t.Errorf("told %s, want %s", got, want)
			}
			if strings.Count(log.String(), "\n") != 1 {
				t.Errorf("logged %s", log.String())
			}
		})
	}
}

func TestUnknownHost(t *testing.T) {
	opts := noTLS()
	opts.Dial = func(_ context.Context, _, _ string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsNotFound: true}}
	}
	inBubble(t, opts, func(w *world) {
		w.say(clientOpen)
		w.wantEnd("DNS", transport.Unreachable, texts[DNS])
	})
}

func TestCAFile(t *testing.T) {
	t.Attr("requirements", "R-05.14")
	cert, _ := certificate(t, "im.example", time.Now())
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}), 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err := (Route{CAFile: file}).prepare("im.example"); err != nil || r.tls.RootCAs == nil || r.tls.MinVersion != tls.VersionTLS12 {
		t.Errorf("prepared %+v, %v", r, err)
	}
}
