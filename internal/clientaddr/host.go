package clientaddr

import (
	"net"
	"net/netip"
	"strings"
)

// Hostname returns a host in lower case, without its port.
func Hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// IsLoopback reports whether a host, with or without a port, is this machine
// by its name or address.
func IsLoopback(host string) bool {
	name := Hostname(host)
	if name == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil && a.IsLoopback()
}
