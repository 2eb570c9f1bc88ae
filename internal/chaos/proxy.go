package chaos

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A Proxy carries connections to a server, badly. Its methods may be called
// from many goroutines at once.
type Proxy struct {
	listener net.Listener
	target   string
	opts     Options
	counter  counter
	overtook overtaking

	ctx    context.Context // done with the proxy
	cancel context.CancelFunc
	work   sync.WaitGroup
	calm   atomic.Bool

	mu    sync.Mutex
	links map[*link]bool
	dark  time.Time // nobody is connected until then
}

// Listen starts a proxy on a free port of loopback, to the host:port of a
// server.
func Listen(target string, opts *Options) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{listener: l, target: target, opts: opts.withDefaults(), links: make(map[*link]bool)}
	p.overtook.next = make(chan struct{})
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.work.Go(p.accept)
	return p, nil
}

// Addr returns the host:port for clients.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Counts returns what happened so far.
func (p *Proxy) Counts() Counts { return p.counter.counts() }

// Calm lets everything pass unharmed from now on.
func (p *Proxy) Calm() { p.calm.Store(true) }

// Cut breaks all connections, and every new one for a while.
func (p *Proxy) Cut(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dark = time.Now().Add(d)
	for l := range p.links {
		l.cutWithAll()
	}
}

// Close breaks all connections, and returns when nothing of the proxy is left.
func (p *Proxy) Close() error {
	err := p.listener.Close()
	p.cancel()
	p.mu.Lock()
	for l := range p.links {
		l.cut()
	}
	p.mu.Unlock()
	p.work.Wait()
	return err
}

func (p *Proxy) accept() {
	for n := uint64(0); ; n++ {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		l := newLink(p, n, c)
		p.work.Go(func() {
			defer p.forget(l)
			if p.remember(l) {
				l.serve()
			}
			l.cut()
		})
	}
}

func (p *Proxy) remember(l *link) (ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.links[l] = true
	return time.Now().After(p.dark) && p.ctx.Err() == nil
}

func (p *Proxy) forget(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}

// dial connects to the server.
func (p *Proxy) dial() (*net.TCPConn, error) {
	var d net.Dialer
	c, err := d.DialContext(p.ctx, "tcp", p.target)
	if err != nil {
		return nil, err
	}
	return c.(*net.TCPConn), nil
}

// roll counts what passes and returns its fault.
func (p *Proxy) roll(d *dice, n *atomic.Uint64, rates Rates) Fault {
	n.Add(1)
	f := d.roll(rates)
	if p.calm.Load() {
		f = None
	}
	p.counter.met(f)
	return f
}

// sleep waits, but not longer than the proxy lives.
func (p *Proxy) sleep(d time.Duration) {
	select {
	case <-time.After(d):
	case <-p.ctx.Done():
	}
}

// An overtaking tells of requests that pass.
type overtaking struct {
	mu   sync.Mutex
	next chan struct{} // closed when a request passes
}

func (o *overtaking) pass() {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.next)
	o.next = make(chan struct{})
}

// wait returns when n others have passed, or after some time.
func (o *overtaking) wait(ctx context.Context, n int, d time.Duration) {
	late := time.After(d)
	for range n {
		o.mu.Lock()
		next := o.next
		o.mu.Unlock()
		select {
		case <-next:
		case <-late:
			return
		case <-ctx.Done():
			return
		}
	}
}
