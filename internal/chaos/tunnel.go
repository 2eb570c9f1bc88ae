package chaos

import (
	"bytes"
	"net"
	"slices"
	"sync"
)

// maxRecord bounds what is kept of the beginning of a stream for its replay.
const maxRecord = 4 << 10

// tunnel carries a stream both ways until it ends. Opening is the request that
// it began with. It never reports that more may follow: where a stream ends is
// not looked for.
func (l *link) tunnel(opening []byte) (more bool) {
	down := newDice(&l.proxy.opts, l.number, 1)
	recording := !bytes.HasPrefix(opening, []byte("GET ")) || bytes.Contains(opening, []byte("pgrade"))
	var both sync.WaitGroup
	both.Go(func() { l.pump(down, l.out, l.server, l.client, nil) })
	var record [][]byte
	l.pump(l.dice, l.in, l.client, l.server, func(piece []byte) {
		if recording && len(piece) < maxRecord {
			record = append(record, slices.Clone(piece))
		}
		recording = false
	})
	both.Wait()
	if record != nil && l.dice.Float64() < l.proxy.opts.Exchanges[Replay] {
		l.proxy.counter.met(Replay)
		l.copyLater(l.dice.later(), opening, record...)
	}
	return false
}

// pump carries one direction.
func (l *link) pump(d *dice, r interface{ Read([]byte) (int, error) }, from, to *net.TCPConn, see func([]byte)) {
	p := l.proxy
	own := &link{proxy: p, dice: d} // the dice are for one goroutine
	buf := make([]byte, 16<<10)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			piece := buf[:n]
			if see != nil {
				see(piece)
			}
			f := p.roll(d, &p.counter.pieces, p.opts.Pieces)
			switch f {
			case CutResponse:
				_, _ = to.Write(piece[:d.place(n)])
				p.sleep(d.delay() / 10)
				l.cut()
				return
			case Delay:
				p.sleep(d.delay())
			}
			if own.write(f, to, piece) != nil {
				l.cut()
				return
			}
			if f == HalfClose {
				// What follows in this direction goes nowhere; the other lives on
				// for as long as anybody believes in it.
				_ = to.CloseWrite()
				_ = from.CloseRead()
				return
			}
		}
		if err != nil {
			_ = to.CloseWrite()
			return
		}
	}
}
