package auth

import (
	"sync"

	"github.com/mochibosh/mochibosh/transport"
)

// registry has the badges of all sessions that are bound.
type registry struct {
	mu     sync.Mutex
	badges map[*transport.Session]*Badge
	users  map[string]*queue // but not of nobody in particular
}

// A queue is the badges of one user, the oldest first.
type queue struct{ first, last *Badge }

// bind returns the session's badge, made if need be, for one stream more.
func (r *registry) bind(s *transport.Session, made func() *Badge) *Badge {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.badges[s]
	if b == nil {
		if r.badges == nil {
			r.badges = make(map[*transport.Session]*Badge)
			r.users = make(map[string]*queue)
		}
		b = made()
		b.session = s
		r.badges[s] = b
		r.enqueue(b)
	}
	b.refs++
	return b
}

func (r *registry) enqueue(b *Badge) {
	user := b.Principal().User
	if user == "" {
		return
	}
	q := r.users[user]
	if q == nil {
		q = new(queue)
		r.users[user] = q
	}
	if b.prev = q.last; b.prev != nil {
		b.prev.next = b
	} else {
		q.first = b
	}
	q.last = b
}

// release undoes one bind. It reports whether the session is not bound any
// more.
func (r *registry) release(b *Badge) (last bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if b.refs--; b.refs > 0 {
		return false
	}
	delete(r.badges, b.session)
	r.dequeue(b)
	return true
}

func (r *registry) dequeue(b *Badge) {
	user := b.Principal().User
	q := r.users[user]
	if q == nil {
		return
	}
	if b.prev != nil {
		b.prev.next = b.next
	} else {
		q.first = b.next
	}
	if b.next != nil {
		b.next.prev = b.prev
	} else {
		q.last = b.prev
	}
	b.prev, b.next = nil, nil
	if q.first == nil {
		delete(r.users, user)
	}
}

func (r *registry) of(s *transport.Session) *Badge {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.badges[s]
}

func (r *registry) ofUser(user string) (all []*transport.Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if q := r.users[user]; q != nil {
		for b := q.first; b != nil; b = b.next {
			all = append(all, b.session)
		}
	}
	return all
}
