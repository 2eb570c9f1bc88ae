package proxies

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// clientAddr is where clients connect from. Nobody trusts it.
const clientAddr = "127.0.0.2"

var dialer = &net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: net.ParseIP(clientAddr)}}

// A client talks to a proxy by HTTPS.
type client struct {
	t    testing.TB
	host string // localhost:port
	http *http.Client
	tls  *tls.Config
}

// newClient speaks HTTP/2, or HTTP/1.1 only.
func newClient(t testing.TB, addr string, http2 bool) *client {
	c := &client{t: t, host: "localhost:" + port(addr), tls: &tls.Config{RootCAs: authorities, ServerName: "localhost"}}
	transport := &http.Transport{TLSClientConfig: c.tls.Clone(), ForceAttemptHTTP2: http2, DialContext: c.dial}
	c.http = &http.Client{Transport: transport}
	t.Cleanup(transport.CloseIdleConnections)
	return c
}

// dial goes to the proxy whatever the name is.
func (c *client) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return dialer.DialContext(ctx, network, "127.0.0.1:"+port(addr))
}

func (c *client) url(path string) string { return "https://" + c.host + path }

// request makes a request; header lines are "Name: value".
func (c *client) request(ctx context.Context, method, path, body string, header ...string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.url(path), strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	return c.http.Do(r)
}

// call makes a request, and returns the whole answer.
func (c *client) call(method, path, body string, header ...string) (status int, answer string) {
	c.t.Helper()
	status, answer, err := c.try(c.t.Context(), method, path, body, header...)
	if err != nil {
		c.t.Fatal(err)
	}
	return status, answer
}

// try is call where it may fail.
func (c *client) try(ctx context.Context, method, path, body string, header ...string) (int, string, error) {
	resp, err := c.request(ctx, method, path, body, header...)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(data), err
}

// publish publishes as a program on the inside does: at the server itself.
func publish(t testing.TB, upstream, topic, data string) {
	t.Helper()
	resp, err := http.Post("http://"+upstream+"/api/publish", "application/json",
		strings.NewReader(fmt.Sprintf(`{"topic":%q,"data":%q}`, topic, data)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if answer, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		t.Fatalf("publishing answered with %s %s", resp.Status, answer)
	}
}
