package chaos

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// A link is one connection of a client, and that to the server which goes with
// it.
type link struct {
	proxy  *Proxy
	number uint64
	dice   *dice
	client *net.TCPConn
	in     *bufio.Reader // of the client

	mu     sync.Mutex
	server *net.TCPConn // nil until there is a request
	out    *bufio.Reader
	busy   bool // an exchange or a stream is under way
	over   bool
}

func newLink(p *Proxy, number uint64, c net.Conn) *link {
	return &link{proxy: p, number: number, dice: newDice(&p.opts, number, 0), client: c.(*net.TCPConn), in: bufio.NewReader(c)}
}

// serve carries exchanges until one of them breaks the link.
func (l *link) serve() {
	for l.exchange() {
		l.setBusy(false)
	}
}

// cut breaks both connections, with a reset: what is on the way is lost.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	reset(l.client)
	if l.server != nil {
		reset(l.server)
	}
}

func (l *link) cutWithAll() {
	l.mu.Lock()
	busy := l.busy && !l.over
	l.mu.Unlock()
	if busy {
		l.proxy.counter.met(CutAll)
	}
	l.cut()
}

func reset(c *net.TCPConn) {
	_ = c.SetLinger(0)
	_ = c.Close()
}

func (l *link) setBusy(busy bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy = busy
}

// connect sees to it that there is a connection to the server.
func (l *link) connect() error {
	if l.server != nil {
		return nil
	}
	c, err := l.proxy.dial()
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.server, l.out = c, bufio.NewReader(c)
	if l.over {
		reset(c)
	}
	return nil
}

// exchange carries a request and its answer. It reports whether another may
// follow.
func (l *link) exchange() (more bool) {
	request, method, whole, ok := l.readRequest()
	if !ok {
		return false
	}
	l.setBusy(true)
	if err := l.connect(); err != nil {
		return false
	}
	p, d := l.proxy, l.dice
	f := p.roll(d, &p.counter.exchanges, p.opts.Exchanges)
	if !l.sendRequest(f, request) {
		return false
	}
	p.overtook.pass()
	if !whole {
		return l.tunnel(request)
	}
	if f == CutWaiting {
		timer := time.AfterFunc(d.delay(), l.cut)
		defer timer.Stop()
	}
	head, err := readHead(l.out)
	if err != nil {
		return false
	}
	line, h, err := fields(head)
	if err != nil {
		return false
	}
	n, known, err := responseLength(method, line, h)
	switch {
	case err != nil:
		return false
	case !known, n > p.opts.MaxBody:
		if f == DropResponse || f == CutResponse || f == CutWaiting {
			return false
		}
		if _, err := l.client.Write(head); err != nil {
			return false
		}
		return l.tunnel(request)
	}
	response, err := readBody(l.out, head, n)
	if err != nil {
		return false
	}
	return l.sendResponse(f, response) && f != HalfClose && f != CutWaiting && !strings.EqualFold(h.Get("Connection"), "close")
}

// readRequest reads a request; whole is false if its body is left to be read.
func (l *link) readRequest() (request []byte, method string, whole, ok bool) {
	head, err := readHead(l.in)
	if err != nil {
		return nil, "", false, false
	}
	line, h, err := fields(head)
	if err != nil {
		return nil, "", false, false
	}
	method, _, _ = strings.Cut(line, " ")
	n, known, err := requestLength(h)
	switch {
	case err != nil:
		return nil, "", false, false
	case !known || n > l.proxy.opts.MaxBody:
		return head, method, false, true
	}
	request, err = readBody(l.in, head, n)
	return request, method, true, err == nil
}

// sendRequest sends a request to the server, as its fault has it.
func (l *link) sendRequest(f Fault, request []byte) (ok bool) {
	p, d := l.proxy, l.dice
	switch f {
	case DropRequest:
		return false
	case CutRequest:
		_, _ = l.server.Write(request[:d.place(len(request))])
		p.sleep(d.delay() / 10) // the server begins to read
		return false
	case Duplicate:
		l.copyLater(0, request)
	case Replay:
		l.copyLater(d.later(), request)
	case Reorder:
		p.overtook.wait(p.ctx, 1+d.IntN(4), d.delay())
	}
	if err := l.write(f, l.server, request); err != nil {
		return false
	}
	if f == HalfClose {
		return l.server.CloseWrite() == nil
	}
	return true
}

// sendResponse sends an answer to the client, as its fault has it.
func (l *link) sendResponse(f Fault, response []byte) (ok bool) {
	switch f {
	case DropResponse:
		return false
	case CutResponse:
		_, _ = l.client.Write(response[:l.dice.place(len(response))])
		l.proxy.sleep(l.dice.delay() / 10) // the client begins to read
		return false
	case Delay:
		l.proxy.sleep(l.dice.delay())
	}
	return l.write(f, l.client, response) == nil
}

// write writes all, with pauses if the fault is one.
func (l *link) write(f Fault, to io.Writer, data []byte) error {
	packets := [][]byte{data}
	switch f {
	case Split:
		packets = l.dice.packets(data)
	case Stall:
		n := l.dice.place(len(data))
		packets = [][]byte{data[:n], data[n:]}
	}
	for i, packet := range packets {
		if i > 0 {
			l.pause(f)
		}
		if _, err := to.Write(packet); err != nil {
			return err
		}
	}
	return nil
}

func (l *link) pause(f Fault) {
	if f == Stall {
		l.proxy.sleep(l.dice.delay())
	} else {
		l.proxy.sleep(100 * time.Microsecond) // they are packets of their own
	}
}

// copyLater sends a copy of a request, and of what followed it on a stream, on
// a connection of its own. Nobody reads the answer.
func (l *link) copyLater(d time.Duration, request []byte, then ...[]byte) {
	p := l.proxy
	p.work.Go(func() {
		p.sleep(d)
		c, err := p.dial()
		if err != nil {
			return
		}
		defer reset(c)
		stop := make(chan struct{})
		defer close(stop)
		p.work.Go(func() {
			select {
			case <-p.ctx.Done():
				reset(c)
			case <-stop:
			}
		})
		_ = c.SetDeadline(time.Now().Add(p.opts.ReplayAfter))
		if _, err := c.Write(request); err != nil {
			return
		}
		answer := bufio.NewReader(c)
		head, err := readHead(answer)
		for _, piece := range then {
			if err == nil {
				_, err = c.Write(piece)
			}
		}
		if err != nil {
			return
		}
		// A while, so that the server acts on it before it sees that nobody is
		// there: an answer of known length is read, of a stream what comes first.
		_, h, _ := fields(head)
		if n, known, err := requestLength(h); known && n > 0 && err == nil {
			_, _ = io.CopyN(io.Discard, answer, n)
		} else if !bytes.Contains(head, []byte(" 204 ")) {
			_ = c.SetReadDeadline(time.Now().Add(p.opts.MaxDelay))
			_, _ = io.Copy(io.Discard, answer)
		}
	})
}
