package main

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"github.com/mochibosh/mochibosh/backends/xmpp"
)

// parseRoutes reads all values of --xmpp, and the files that they name.
func parseRoutes(specs []string) (map[string]xmpp.Route, error) {
	routes := make(map[string]xmpp.Route)
	var errs []error
	for _, spec := range specs {
		domain, r, err := parseRoute(spec)
		if _, twice := routes[domain]; twice && err == nil {
			err = errors.New("the domain is there twice")
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("xmpp %q: %w", spec, err))
			continue
		}
		routes[domain] = r
	}
	return routes, errors.Join(errs...)
}

// parseRoute reads DOMAIN[=HOST:PORT][?OPTIONS].
func parseRoute(spec string) (domain string, r xmpp.Route, err error) {
	spec, options, _ := strings.Cut(spec, "?")
	domain, address, fixed := strings.Cut(spec, "=")
	domain = strings.ToLower(domain)
	if domain == "" || strings.ContainsAny(domain, " /:@") {
		return "", r, fmt.Errorf("%q is no domain", domain)
	}
	if err := routeOptions(&r, options); err != nil {
		return "", r, err
	}
	if !fixed {
		if r.TLS == xmpp.DirectTLS {
			return "", r, errors.New("tls=direct needs an address; SRV records say themselves where TLS is direct")
		}
		return domain, r, nil
	}
	r.Addr, err = withPort(address, r.TLS)
	return domain, r, err
}

// withPort adds the port of RFC 6120, or the usual one of direct TLS.
func withPort(address string, mode xmpp.TLSMode) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		host, port = strings.Trim(address, "[]"), "5222"
		if mode == xmpp.DirectTLS {
			port = "5223"
		}
	}
	_, err = netip.ParseAddr(host)
	if n, bad := net.LookupPort("tcp", port); bad != nil || n == 0 || host == "" || err != nil && strings.ContainsAny(host, " /@=:") {
		return "", fmt.Errorf("%q is no address such as 127.0.0.1:5222", address)
	}
	return net.JoinHostPort(host, port), nil
}

var tlsModes = map[string]xmpp.TLSMode{"off": xmpp.NoTLS, "starttls": xmpp.STARTTLS, "direct": xmpp.DirectTLS}

var proxyVersions = map[string]int{"v1": 1, "v2": 2}

func routeOptions(r *xmpp.Route, options string) error {
	values, err := url.ParseQuery(options)
	if err != nil {
		return err
	}
	for name, v := range values {
		if len(v) > 1 {
			return fmt.Errorf("%s is there twice", name)
		}
		var ok bool
		switch name {
		case "tls":
			if r.TLS, ok = tlsModes[v[0]]; !ok {
				return fmt.Errorf("tls=%s is neither off, starttls nor direct", v[0])
			}
		case "ca":
			if r.RootCAs, _, err = readAuthorities(v[0]); err != nil {
				return err
			}
		case "name":
			r.ServerName = v[0]
		case "proxy":
			if r.Proxy, ok = proxyVersions[v[0]]; !ok {
				return fmt.Errorf("proxy=%s is neither v1 nor v2", v[0])
			}
		default:
			return fmt.Errorf("no option is called %q", name)
		}
	}
	if r.TLS == xmpp.NoTLS && (r.RootCAs != nil || r.ServerName != "") {
		return errors.New("ca and name have no meaning with tls=off")
	}
	return nil
}

// readAuthorities reads the certificates in a file.
func readAuthorities(file string) (*x509.CertPool, []*x509.Certificate, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, err
	}
	pool := x509.NewCertPool()
	var all []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", file, err)
		}
		pool.AddCert(c)
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, nil, fmt.Errorf("no certificate in %s", file)
	}
	return pool, all, nil
}
