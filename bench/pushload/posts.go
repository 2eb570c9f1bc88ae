//go:build linux

package main

import "github.com/mochibosh/mochibosh/bench/wire"

// Posts are keep-alive connections for requests that need no more than to
// arrive. Those on one connection arrive in order.
type posts struct {
	lines []*line
	next  int
}

// A line is a connection and what waits for it.
type line struct {
	conn    *exchange
	waiting []request
}

type request struct {
	path string
	body []byte
}

func newPosts(srv *server, connections int) *posts {
	p := &posts{}
	for range connections {
		l := &line{conn: &exchange{server: srv}}
		l.conn.onFail = func(err error) { fatalf("a post failed: %v", err) }
		l.conn.onAnswer = l.answered
		p.lines = append(p.lines, l)
	}
	return p
}

func (p *posts) send(path string, body []byte) {
	p.next = (p.next + 1) % len(p.lines)
	p.sendOn(p.next, path, body)
}

// sendOn keeps the order of requests with the same number.
func (p *posts) sendOn(number int, path string, body []byte) {
	l := p.lines[number%len(p.lines)]
	if l.conn.busy {
		l.waiting = append(l.waiting, request{path, body})
		return
	}
	l.conn.post(path, body)
}

func (l *line) answered(a wire.Answer) {
	if a.Status/100 != 2 {
		fatalf("a post was refused: %d %s", a.Status, a.Body)
	}
	if len(l.waiting) > 0 {
		r := l.waiting[0]
		l.waiting = l.waiting[1:]
		l.conn.post(r.path, r.body)
	}
}
