package xmpptest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// StartEjabberd starts ejabberd, until the test is over.
func StartEjabberd(t testing.TB, opts *Options) *Server {
	t.Helper()
	s, err := NewEjabberd(opts)
	return forTest(t, s, err)
}

// NewEjabberd starts ejabberd; it runs until Remove. It is for tests that
// share a server.
//
// It is an Erlang node without a name, so that it needs no epmd and knows of
// no other, and ends when its standard input does.
func NewEjabberd(opts *Options) (*Server, error) {
	erl, err := program("erl")
	if err != nil {
		return nil, err
	}
	found, _ := filepath.Glob("/usr/lib/*/ejabberd-*/ebin/ejabberd.app")
	if len(found) == 0 {
		return nil, errors.New("ejabberd is not installed: scripts/setup installs it")
	}
	libs := filepath.Dir(filepath.Dir(filepath.Dir(found[0])))

	s, err := newServer("ejabberd", opts)
	if err != nil {
		return nil, err
	}
	err = errors.Join(s.write("config.yml", fmt.Sprintf(`
hosts: [%[2]q]
loglevel: info
log_rotate_size: infinity
certfiles: ["%[1]s/cert.pem", "%[1]s/key.pem"]
acme: {auto: false}
auth_method: internal
disable_sasl_mechanisms: ["X-OAUTH2"]
listen:
  - {port: %[3]s, ip: "127.0.0.1", module: ejabberd_c2s, starttls: true, backlog: 1024}
  - {port: %[4]s, ip: "127.0.0.1", module: ejabberd_c2s, tls: true}
  - {port: %[5]s, ip: "127.0.0.1", module: ejabberd_c2s, starttls: true, use_proxy_protocol: true}
  - port: %[6]s
    ip: "127.0.0.1"
    module: ejabberd_http
    backlog: 1024
    request_handlers: {"/http-bind": mod_bosh, "/xmpp-websocket": ejabberd_http_ws}
modules:
  mod_bosh: {}
  mod_disco: {}
  mod_ping: {}
  mod_roster: {}
  mod_stream_mgmt: {}
`, s.dir, s.Domain, port(s.Addr), port(s.DirectTLS), port(s.Proxied), port(s.HTTP))))
	err = errors.Join(err, s.write("inetrc", `{lookup,["file","native"]}.`))

	script := fmt.Sprintf(`
lists:foreach(fun(U) -> ejabberd_auth:try_register(list_to_binary(U), <<%q>>, <<%q>>) end, [%s]),
io:format("users registered~n"),
io:get_line(""), halt().`, s.Domain, Password, quoteAll(s.Users))
	s.start = func() *exec.Cmd {
		cmd := exec.Command(erl, "-noshell", "-mnesia", "dir", `"`+s.path("mnesia")+`"`, "-s", "ejabberd", "-eval", strings.ReplaceAll(script, "\n", " "))
		cmd.Env = append(os.Environ(),
			"ERL_LIBS="+libs, "ERL_INETRC="+s.path("inetrc"), "ERL_CRASH_DUMP="+os.DevNull,
			"EJABBERD_CONFIG_PATH="+s.path("config.yml"), "EJABBERD_LOG_PATH="+s.path("ejabberd.log"))
		cmd.StdinPipe()
		return cmd
	}
	s.marker = "users registered"
	return s, s.begin(err)
}
