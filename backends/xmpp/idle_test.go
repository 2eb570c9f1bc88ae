package xmpp

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/transport"
)

// An idle stream, its session included, costs no more than this: one goroutine,
// half of it, and no buffer. TLS keeps its state and what its longest record
// took.
const (
	idleBytes    = 10 << 10
	idleBytesTLS = 15 << 10
)

func TestIdleStreamsAreCheap(t *testing.T) {
	if underRace {
		t.Skip("the race detector needs memory of its own")
	}
	for _, c := range []struct {
		name string
		mode TLSMode
		most int
	}{{"in clear", NoTLS, idleBytes}, {"with TLS", DirectTLS, idleBytesTLS}} {
		t.Run(c.name, func(t *testing.T) {
			if got := bytesPerStream(t, c.mode, 300); got > c.most {
				t.Errorf("%d bytes for each idle stream, want no more than %d", got, c.most)
			} else {
				t.Logf("%d bytes for each idle stream", got)
			}
		})
	}
}

func BenchmarkIdleStream(b *testing.B) {
	for name, mode := range map[string]TLSMode{"clear": NoTLS, "TLS": DirectTLS} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				b.ReportMetric(float64(bytesPerStream(b, mode, 1000)), "B/stream")
			}
		})
	}
}

// bytesPerStream measures n streams on which nothing happens any more.
func bytesPerStream(t testing.TB, mode TLSMode, n int) int {
	t.Helper()
	addr, pool := startOtherProcess(t)
	if mode == NoTLS {
		addr = strings.Split(addr, " ")[0]
	} else {
		addr = strings.Split(addr, " ")[1]
	}
	relay, err := NewRelay(&Options{Routes: map[string]Route{"im.example": {Addr: addr, TLS: mode, RootCAs: pool}}})
	if err != nil {
		t.Fatal(err)
	}
	m := transport.NewManager(&transport.Options{Backend: relay})
	open := func() {
		s, err := m.Create(t.Context(), transport.Params{Wait: time.Minute, Inactivity: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		if _, err = s.Open(t.Context(), "one", "im.example"); err != nil {
			t.Fatal(err)
		}
		if _, err = s.Push(t.Context(), 0, []transport.Frame{{Stream: "one", Data: []byte(clientOpen)}}); err != nil {
			t.Fatal(err)
		}
		r, err := s.Pull(t.Context(), transport.Pull{Wait: time.Minute})
		if err != nil || len(r.Frames) != 2 {
			t.Fatalf("%+v, %v", r, err)
		}
		s.Ack(r.Last())
	}
	open() // what is made once
	before, goroutines := memory(), runtime.NumGoroutine()
	for range n {
		open()
	}
	used := memory() - before
	if more := runtime.NumGoroutine() - goroutines; more > n+n/100 {
		t.Errorf("%d goroutines for %d streams", more, n)
	}
	if err := m.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	return used / n
}

// memory is what the heap and the stacks take.
func memory() int {
	for range 5 { // stacks shrink step by step, pools are emptied in two
		runtime.GC()
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc + stats.StackInuse)
}

// otherProcess is the program of the server, so that its memory does not count.
const otherProcess = "MOCHIBOSH_TEST_SERVER"

// startOtherProcess starts a server that opens streams and says no more. It
// returns its addresses without and with TLS.
func startOtherProcess(t testing.TB) (addrs string, pool *x509.CertPool) {
	t.Helper()
	cert, pool := certificate(t, "im.example", time.Now().Add(-time.Minute))
	key, err := x509.MarshalECPrivateKey(cert.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), otherProcess+"="+
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}))+
		string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: key})))
	stdin, _ := cmd.StdinPipe() // its end is the server's
	out, _ := cmd.StdoutPipe()
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close(); cmd.Wait() })
	addrs, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(addrs), pool
}

// serveOtherProcess is that server.
func serveOtherProcess(pair string) {
	cert, err := tls.X509KeyPair([]byte(pair), []byte(pair))
	if err != nil {
		panic(err)
	}
	listen := func(config *tls.Config) net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			panic(err)
		}
		if config != nil {
			l = tls.NewListener(l, config)
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					c.Read(make([]byte, 1000))
					io.WriteString(c, serverHeader+features)
					c.Read(make([]byte, 1000)) // the end tag
					io.WriteString(c, endTag)
				}()
			}
		}()
		return l
	}
	fmt.Println(listen(nil).Addr(), listen(&tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"xmpp-client"}}).Addr())
	io.Copy(io.Discard, os.Stdin)
}
