package proxies

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/internal/xmpptest"
)

// A proxy is one of the three, in front of a server.
type proxy struct {
	*process
	addr   string
	reload func() // returns when the new configuration counts
}

// A kind of proxy is started in front of the server at upstream, and bears so
// much silence of it.
type kind struct {
	name      string
	start     func(t *testing.T, upstream string, silence time.Duration) *proxy
	impatient bool // it ends what is silent for longer
}

var kinds = []kind{
	{"nginx", startNginx, true},
	{"HAProxy", startHAProxy, true},
	{"Caddy", startCaddy, false},
}

const shipped = "../../deploy/"

func startNginx(t *testing.T, upstream string, silence time.Duration) *proxy {
	p := &proxy{addr: freeAddress(t)}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(shipped+"nginx")); err != nil {
		t.Fatal(err)
	}
	write(t, dir+"/mochibosh/server.conf", fmt.Sprintf(`
listen %s ssl http2;
server_name localhost;
ssl_certificate     %s;
ssl_certificate_key %s;
`, p.addr, certFile, keyFile))
	write(t, dir+"/mochibosh/upstream.conf", fmt.Sprintf(`
upstream mochibosh { server %s max_fails=0; keepalive 256; }
proxy_read_timeout %dms;
client_body_temp_path %[3]s/body; proxy_temp_path %[3]s/proxy; fastcgi_temp_path %[3]s/fastcgi;
uwsgi_temp_path %[3]s/uwsgi; scgi_temp_path %[3]s/scgi;
`, upstream, silence.Milliseconds(), dir))
	p.process = run(t, nil, "nginx", "-c", dir+"/nginx.conf", "-p", dir, "-e", "stderr",
		"-g", "daemon off; user root; pid "+dir+"/pid; error_log stderr notice;")
	p.listens(p.addr)
	reloads := 0
	p.reload = func() {
		reloads++
		p.signal(syscall.SIGHUP)
		p.until(reloads, "gracefully shutting down")
	}
	return p
}

func startHAProxy(t *testing.T, upstream string, silence time.Duration) *proxy {
	p := &proxy{addr: freeAddress(t)}
	env := []string{
		"MOCHIBOSH_BIND=" + p.addr,
		"MOCHIBOSH_CERT=" + bothFile,
		"MOCHIBOSH_UPSTREAM=" + upstream,
		fmt.Sprintf("MOCHIBOSH_SILENCE=%dms", silence.Milliseconds()),
		"MOCHIBOSH_CLIENTS=1000",
	}
	p.process = run(t, env, "haproxy", "-W", "-db", "-f", shipped+"haproxy/haproxy.cfg")
	p.until(1, "Loading success")
	reloads := 0
	p.reload = func() {
		reloads++
		p.signal(syscall.SIGUSR2)
		p.until(1+reloads, "Loading success")
	}
	return p
}

func startCaddy(t *testing.T, upstream string, _ time.Duration) *proxy {
	p := &proxy{addr: freeAddress(t)}
	home, admin := t.TempDir(), freeAddress(t)
	env := []string{
		"HOME=" + home, "XDG_DATA_HOME=" + home, "XDG_CONFIG_HOME=" + home,
		"MOCHIBOSH_ADMIN=" + admin,
		"MOCHIBOSH_HTTP_PORT=" + port(freeAddress(t)),
		"MOCHIBOSH_SITE=https://localhost:" + port(p.addr),
		"MOCHIBOSH_TLS=" + certFile + " " + keyFile,
		"MOCHIBOSH_UPSTREAM=" + upstream,
	}
	file := shipped + "caddy/Caddyfile"
	p.process = run(t, env, "caddy", "run", "--config", file, "--adapter", "caddyfile")
	p.until(1, "serving initial configuration")
	p.reload = func() {
		reload := exec.Command("caddy", "reload", "--force", "--address", admin, "--config", file, "--adapter", "caddyfile")
		reload.Env = append(os.Environ(), env...)
		if out, err := reload.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
	return p
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Clean(name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	addr, err := xmpptest.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}
