package nodes_test

import (
	"fmt"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// What forwarding costs: the same request to the node with the session, and to
// another one. All in one process, with the client and NATS, over loopback; the
// processor's time is that of all of them.
func BenchmarkForward(b *testing.B) {
	w := newWorldOn(b, &server.Options{Host: "127.0.0.1", Port: -1, NoSigs: true}, true)
	here, elsewhere := w.join("a"), w.join("b")
	for _, to := range []struct {
		name string
		node *node
	}{{"here", here}, {"elsewhere", elsewhere}} {
		b.Run("published, confirmed and stored/"+to.name, func(b *testing.B) {
			x := create(b, here, "")
			perOp(b, func() {
				x.publish(to.node, "t", "hello")
				x.until(to.node, "published")
			})
		})
		b.Run("held and answered/"+to.name, func(b *testing.B) {
			x := create(b, here, "fixed")
			i := 0
			perOp(b, func() {
				i++
				done := make(chan struct{})
				x.attach++
				go func() {
					defer close(done)
					status, o, err := x.try(to.node, object{Attach: x.attach, Ack: x.ack})
					if err != nil || status != http.StatusOK {
						b.Error(status, err)
					}
					x.took(o)
				}()
				x.send(here, fmt.Sprint(i))
				<-done
			})
		})
	}
}

func perOp(b *testing.B, f func()) {
	f()
	before := cpu()
	for b.Loop() {
		f()
	}
	b.ReportMetric(float64((cpu()-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
