package xmpp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"github.com/mochibosh/mochibosh/transport"
)

// Defaults, where [Options] leave a field zero.
const (
	DefaultMaxStanza        = 256 << 10
	DefaultConnectTimeout   = 15 * time.Second
	DefaultHandshakeTimeout = 15 * time.Second
	DefaultStreamTimeout    = 30 * time.Second
	DefaultWriteTimeout     = 30 * time.Second
	DefaultCloseTimeout     = 5 * time.Second
)

// MinMaxStanza is the least that Options.MaxStanza may be: RFC 6120 §13.12
// "a deployed server's maximum stanza size MUST NOT be smaller than 10000
// bytes".
const MinMaxStanza = 10_000

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
	// CAFile is a file in PEM with such authorities, read by NewRelay.
	CAFile string
	// MinVersion is the lowest version of TLS. Zero: 1.2 (RFC 7590 §3, BCP 195).
	MinVersion uint16
}

// A Resolver looks up SRV records; [net.Resolver] is one.
type Resolver interface {
	LookupSRV(ctx context.Context, service, proto, name string) (cname string, addrs []*net.SRV, err error)
}

// Options configure a [Relay]. Zero fields stand for the Default constants.
type Options struct {
	// Routes are the servers by their domains, in lower case. No other target
	// is ever connected to.
	Routes map[string]Route
	// Resolver finds SRV records. Nil: net.DefaultResolver.
	Resolver Resolver
	// Dial connects to host:port. Nil: a net.Dialer, which tries the addresses
	// of a host as RFC 6555 says.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// MaxStanza bounds one element, in bytes, in both directions. Less than
	// MinMaxStanza is raised to it.
	MaxStanza int
	// ConnectTimeout is how long a look-up, and each try to connect, may take.
	ConnectTimeout time.Duration
	// HandshakeTimeout is how long the handshake of TLS may take.
	HandshakeTimeout time.Duration
	// StreamTimeout is how long the server may take for each step of opening
	// a stream: for its header, its features, its answer to STARTTLS.
	StreamTimeout time.Duration
	// WriteTimeout is how long the server may take to read a frame.
	WriteTimeout time.Duration
	// CloseTimeout is how long the server may take to end its stream after
	// ours has ended.
	CloseTimeout time.Duration
	// KeepAlive is how long nothing is sent before a space is, once the
	// client has logged in. Zero: never. RFC 6120 §4.6.4 recommends five
	// minutes at least.
	KeepAlive time.Duration
	// Logger takes connections that fail (Warn), never payloads. Nil: no logs.
	Logger *slog.Logger
}

func (o *Options) withDefaults() Options {
	var opts Options
	if o != nil {
		opts = *o
	}
	if opts.Resolver == nil {
		opts.Resolver = net.DefaultResolver
	}
	if opts.Dial == nil {
		opts.Dial = new(net.Dialer).DialContext
	}
	setDefault(&opts.MaxStanza, DefaultMaxStanza)
	opts.MaxStanza = max(opts.MaxStanza, MinMaxStanza)
	setDefault(&opts.ConnectTimeout, DefaultConnectTimeout)
	setDefault(&opts.HandshakeTimeout, DefaultHandshakeTimeout)
	setDefault(&opts.StreamTimeout, DefaultStreamTimeout)
	setDefault(&opts.WriteTimeout, DefaultWriteTimeout)
	setDefault(&opts.CloseTimeout, DefaultCloseTimeout)
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	return opts
}

func setDefault[T int | time.Duration](v *T, def T) {
	if *v == 0 {
		*v = def
	}
}

// route is a Route made ready.
type route struct {
	Route
	domain string
	tls    *tls.Config
	err    error // of the CAFile
}

func (r Route) prepare(domain string) *route {
	out := &route{Route: r, domain: strings.ToLower(domain)}
	// XEP-0368 §3: the name is that of the domain, not of the SRV target.
	out.tls = &tls.Config{ServerName: r.ServerName, RootCAs: r.RootCAs, MinVersion: r.MinVersion}
	if out.tls.ServerName == "" {
		out.tls.ServerName = out.domain
	}
	if out.tls.MinVersion == 0 {
		out.tls.MinVersion = tls.VersionTLS12
	}
	if r.CAFile == "" {
		return out
	}
	pem, err := os.ReadFile(r.CAFile)
	if err != nil {
		out.err = err
		return out
	}
	pool := x509.NewCertPool()
	if r.RootCAs != nil {
		pool = r.RootCAs.Clone()
	}
	if !pool.AppendCertsFromPEM(pem) {
		out.err = fmt.Errorf("no certificate in %s", r.CAFile)
	}
	out.tls.RootCAs = pool
	return out
}

// unknown is the refusal of a target that is not configured.
func unknown() *transport.Termination {
	return &transport.Termination{Condition: transport.HostUnknown, Text: "this domain is not served here"}
}
