package proxies

import (
	"net"
	"regexp"
	"testing"
)

// serve runs `mochibosh serve` for everybody, which believes 127.0.0.1 who the
// client is, and returns it with its address.
func serve(t testing.TB, args ...string) (*process, string) {
	t.Helper()
	p := run(t, nil, program, append([]string{"serve", "--listen=127.0.0.1:0", "--dev", "--push=on",
		"--trusted-proxies=127.0.0.1", "--log-level=debug", "--max-sessions-per-ip=0"}, args...)...)
	p.until(1, "msg=listening")
	m := regexp.MustCompile(`msg=listening address=(\S+)`).FindStringSubmatch(p.log())
	if m == nil {
		t.Fatalf("no address in %s", p.log())
	}
	return p, m[1]
}

func port(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}
