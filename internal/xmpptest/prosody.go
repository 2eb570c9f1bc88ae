package xmpptest

import (
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"strings"
	"testing"
)

// StartProsody starts Prosody, until the test is over.
func StartProsody(t testing.TB, opts *Options) *Server {
	t.Helper()
	s, err := NewProsody(opts)
	return forTest(t, s, err)
}

// NewProsody starts Prosody; it runs until Remove. It is for tests that share
// a server.
func NewProsody(opts *Options) (*Server, error) {
	path, err := program("prosody")
	if err != nil {
		return nil, err
	}
	s, err := newServer("prosody", opts)
	if err != nil {
		return nil, err
	}
	s.Proxied = ""
	for _, user := range s.Users {
		// Prosody writes everything but letters and digits of a name as %xx.
		host := strings.ReplaceAll(url.QueryEscape(s.Domain), ".", "%2e")
		err = errors.Join(err, s.write("data/"+host+"/accounts/"+user+".dat", fmt.Sprintf("return { password = %q };", Password)))
	}
	ports, component := "", ""
	if opts != nil && opts.Component != "" {
		err = errors.Join(err, freePorts(&s.Components))
		ports = "component_ports = { " + port(s.Components) + " }"
		component = fmt.Sprintf("Component %q\ncomponent_secret = %q\n", opts.Component, Password)
	}
	err = errors.Join(err, s.write("config.lua", fmt.Sprintf(`
run_as_root = true
daemonize = false
pidfile = "%[1]s/pid"
data_path = "%[1]s/data"
log = { { levels = { min = "info" }, to = "console" } }
interfaces = { "127.0.0.1" }
c2s_ports = { %[3]s }
c2s_direct_tls_ports = { %[4]s }
http_ports = { %[5]s }
https_ports = {}
http_default_host = "%[2]s"
consider_bosh_secure = true
consider_websocket_secure = true
http_paths = { bosh = "/http-bind", websocket = "/xmpp-websocket" }
modules_enabled = { "roster", "saslauth", "tls", "disco", "ping", "smacks", "bosh", "websocket" }
modules_disabled = { "s2s" }
authentication = "internal_plain"
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
limits = {}
%[6]s
ssl = { key = "%[1]s/key.pem", certificate = "%[1]s/cert.pem" }
c2s_direct_tls_ssl = ssl
VirtualHost "%[2]s"
ssl = { key = "%[1]s/key.pem", certificate = "%[1]s/cert.pem" }
`, s.dir, s.Domain, port(s.Addr), port(s.DirectTLS), port(s.HTTP), ports)+component))
	s.start = func() *exec.Cmd { return exec.Command(path, "-F", "--config", s.path("config.lua")) }
	return s, s.begin(err)
}
