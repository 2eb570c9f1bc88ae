package main

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/mochibosh/mochibosh/internal/clientaddr"
	"github.com/mochibosh/mochibosh/transport"
)

// A register has the live sessions of this process, and what only the server knows
// of them.
type register struct {
	mu       sync.Mutex
	sessions map[*transport.Session]entry
}

// An entry says when a session began here, and from which address it was opened.
type entry struct {
	began time.Time
	from  netip.Addr // the zero value: it came from another process
}

func newRegister() *register { return &register{sessions: make(map[*transport.Session]entry)} }

func (r *register) started(s *transport.Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sessions[s] = entry{began: time.Now()}
}

// opened notes the address that a stream comes from.
func (r *register) opened(ctx context.Context, s *transport.Session) {
	addr, _ := clientaddr.From(ctx)
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if e, ok := r.sessions[s]; ok && !e.from.IsValid() {
		e.from = tcp.AddrPort().Addr().Unmap()
		r.sessions[s] = e
	}
}

func (r *register) ended(s *transport.Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.sessions, s)
}

// A listed session is one of the register.
type listed struct {
	*transport.Session
	entry
}

// all returns all live sessions, in no order.
func (r *register) all() []listed {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]listed, 0, len(r.sessions))
	for s, e := range r.sessions {
		all = append(all, listed{s, e})
	}
	return all
}

// find returns the session of this name, as logs have it.
func (r *register) find(name string) (listed, bool) {
	for _, s := range r.all() {
		if s.LogID() == name {
			return s, true
		}
	}
	return listed{}, false
}
