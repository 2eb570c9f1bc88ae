//go:build linux

package httpd_test

import (
	"context"
	"net"
	"net/http"
	"syscall"
	"testing"

	"github.com/mochibosh/mochibosh/internal/httpd"
)

// Two short writes leave at once, and a client that vanished is noticed: not
// every listener hands its options on.
func TestSocketOptions(t *testing.T) {
	for name, multipath := range map[string]bool{"TCP": false, "Multipath TCP": true} {
		t.Run(name, func(t *testing.T) {
			var lc net.ListenConfig
			lc.SetMultipathTCP(multipath)
			ln, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			s := &httpd.Server{Options: httpd.Options{Handler: http.NotFoundHandler()}}
			served := make(chan error, 1)
			go func() { served <- s.Serve(ln) }()
			defer func() {
				s.Close()
				<-served
			}()
			c := holdLine(t, ln.Addr().String())
			defer c.leave()
			fd := peerOf(t, c.LocalAddr().(*net.TCPAddr).Port)
			for option, of := range map[string][2]int{
				"TCP_NODELAY":   {syscall.IPPROTO_TCP, syscall.TCP_NODELAY},
				"SO_KEEPALIVE":  {syscall.SOL_SOCKET, syscall.SO_KEEPALIVE},
				"TCP_KEEPIDLE":  {syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE},
				"TCP_KEEPINTVL": {syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL},
			} {
				want := 15
				if option == "TCP_NODELAY" || option == "SO_KEEPALIVE" {
					want = 1
				}
				if got, err := syscall.GetsockoptInt(fd, of[0], of[1]); got != want || err != nil {
					t.Errorf("%s is %d, %v; want %d", option, got, err, want)
				}
			}
		})
	}
}

// holdLine returns a connection that the server has answered on.
func holdLine(t *testing.T, addr string) *wire {
	w := &wire{t: t, addr: addr}
	w.post("/", "")
	if _, err := w.in.ReadByte(); err != nil {
		t.Fatal(err)
	}
	return w
}

// peerOf returns the descriptor, in this process, of the other end of a
// connection.
func peerOf(t *testing.T, port int) (fd int) {
	for fd := range 4096 {
		if a, err := syscall.Getpeername(fd); err == nil {
			if in, ok := a.(*syscall.SockaddrInet4); ok && in.Port == port {
				return fd
			}
		}
	}
	t.Fatal("no such connection")
	return 0
}
