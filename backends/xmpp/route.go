package xmpp

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
)

// A TLSMode says how the connection to a server is secured.
type TLSMode uint8

const (
	// STARTTLS begins in clear and goes no further without TLS (RFC 6120 §5).
	STARTTLS TLSMode = iota
	// DirectTLS begins with TLS (XEP-0368).
	DirectTLS
	// NoTLS is for servers on the same machine: passwords travel in clear.
	NoTLS
)

// A Route says where the server of a domain is and how to talk to it. The
// zero value looks it up in the DNS and insists on TLS.
type Route struct {
	// Addr is host:port. Empty: the SRV records of the domain, else the
	// domain itself at port 5222. SRV records say themselves whether TLS
	// comes first; of TLS, only NoTLS counts then.
	Addr string
	// TLS is the mode of Addr.
	TLS TLSMode
	// ServerName is the name that the certificate is to be for, and that is
	// sent as SNI. Empty: the domain (RFC 6120 §13.7.2.1).
	ServerName string
	// RootCAs are the authorities that may have signed the certificate. Nil,
	// without a CAFile: those of the system.
	RootCAs *x509.CertPool
	// CAFile is a file in PEM with such authorities, read by NewRelay and
	// SetRoutes.
	CAFile string
	// MinVersion is the lowest version of TLS. Zero: 1.2 (RFC 7590 §3, BCP 195).
	MinVersion uint16
	// Proxy is the version of the PROXY protocol, 1 or 2, that tells the server
	// the client's address, see Options.ClientAddr. Zero: none. The server has
	// to expect it. Without it, a server sees all clients at the relay's
	// address, and may trust them accordingly.
	Proxy int
}

// route is a Route made ready.
type route struct {
	Route
	domain string
	tls    *tls.Config // after STARTTLS
	direct *tls.Config
}

func (r Route) prepare(domain string) (*route, error) {
	out := &route{Route: r, domain: strings.ToLower(domain)}
	switch {
	case domain == "":
		return nil, errors.New("is empty")
	case r.TLS > NoTLS:
		return nil, fmt.Errorf("no such mode of TLS: %d", r.TLS)
	case r.Proxy < 0 || r.Proxy > 2:
		return nil, fmt.Errorf("no such version of the PROXY protocol: %d", r.Proxy)
	}
	if r.Addr != "" {
		if _, _, err := net.SplitHostPort(r.Addr); err != nil {
			return nil, err
		}
	}
	// XEP-0368 §3: the name is that of the domain, not of the SRV target.
	out.tls = &tls.Config{ServerName: r.ServerName, MinVersion: r.MinVersion}
	if out.tls.ServerName == "" {
		out.tls.ServerName = out.domain
	}
	if out.tls.MinVersion == 0 {
		out.tls.MinVersion = tls.VersionTLS12
	}
	var err error
	if out.tls.RootCAs, err = r.authorities(); err != nil {
		return nil, err
	}
	out.direct = out.tls.Clone()
	out.direct.NextProtos = []string{"xmpp-client"} // XEP-0368 §3
	return out, nil
}

// authorities are those of RootCAs and those of CAFile.
func (r Route) authorities() (*x509.CertPool, error) {
	if r.CAFile == "" {
		return r.RootCAs, nil
	}
	pem, err := os.ReadFile(r.CAFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if r.RootCAs != nil {
		pool = r.RootCAs.Clone()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("no certificate in %s", r.CAFile)
	}
	return pool, nil
}
