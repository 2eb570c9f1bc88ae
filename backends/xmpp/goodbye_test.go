package xmpp

import (
	"crypto/tls"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/transport"
)

// beginTLS opens a stream with direct TLS.
func (w *world) beginTLS(cert tls.Certificate) {
	w.t.Helper()
	w.say(clientOpen)
	w.accept()
	c, err := w.serveTLS(cert)
	if err != nil {
		w.t.Fatal(err)
	}
	w.server = c
	w.wantBytes("the header", tlsHeader)
	w.write(serverHeader + features)
	w.wantFrame("the header", openReply)
	w.wantFrame("features", featuresReply)
}

// inTLS plays a server with a certificate that is good for ten seconds more.
func inTLS(t *testing.T, f func(w *world, cert tls.Certificate)) {
	now := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // of bubbles
	cert, pool := certificate(t, "im.example", now.Add(10*time.Second-time.Hour))
	inBubble(t, &Options{Routes: map[string]Route{"im.example": {Addr: "server:1", TLS: DirectTLS, RootCAs: pool}}}, func(w *world) { f(w, cert) })
}

func TestTLSEndsOnBothSides(t *testing.T) {
	t.Attr("requirements", "R-04.19")
	inTLS(t, func(w *world, cert tls.Certificate) {
		w.beginTLS(cert)
		w.say(clientClose)
		w.wantBytes("the end tag", endTag)
		w.write(endTag)
		if n, err := w.server.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("no close_notify: %v", err)
		}
		raw := w.server.(*tls.Conn).NetConn()
		raw.SetReadDeadline(time.Now().Add(DefaultCloseTimeout / 2))
		if _, err := raw.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the relay does not wait for ours: %v", err)
		}
		w.server.(*tls.Conn).CloseWrite()
		raw.SetReadDeadline(time.Time{})
		if _, err := raw.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the connection is still open: %v", err)
		}
		w.wantEnd("clean", transport.Normal, "")
	})
}

func TestStreamEndsWithItsCertificate(t *testing.T) {
	t.Attr("requirements", "R-13.1")
	inTLS(t, func(w *world, cert tls.Certificate) {
		w.beginTLS(cert)
		start := time.Now()
		w.wantBytes("after ten seconds", `<stream:error><reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>`+endTag)
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("after %v", took)
		}
		w.wantEnd("the client learns it", transport.BackendError, "")
		if got := string(w.end.Payload[0].Data); !strings.Contains(got, "<reset ") {
			t.Errorf("as %s", got)
		}
	})
}

func TestSTARTTLSInsideDirectTLS(t *testing.T) {
	t.Attr("requirements", "L-03.5 R-05.10")
	inTLS(t, func(w *world, cert tls.Certificate) {
		w.say(clientOpen)
		w.accept()
		c, err := w.serveTLS(cert)
		if err != nil {
			t.Fatal(err)
		}
		w.server = c
		w.wantBytes("the header", tlsHeader)
		w.write(serverHeader + strings.Replace(features, "<mech", starttls+"<mech", 1))
		w.next()
		w.wantFrame("stripped", featuresReply)
		w.say("<iq/>")
		w.wantBytes("and not asked for", "<iq/>")
	})
}
