package webpush

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/mochibosh/mochibosh/backends/bus"
)

// An errand is a notification for one user.
type errand struct {
	user     string
	message  *Message
	payload  []byte
	receipts string // the topic in which it is seen whether it is needed; empty: it is
	began    time.Time
}

// run waits until the notification is due, and sends it to all browsers of the user.
func (p *Pusher) run(e *errand) {
	if p.needless(e) {
		return
	}
	all, err := p.opts.Store.Of(p.ctx, e.user)
	if err != nil {
		p.failed("store", err)
		return
	}
	var sending sync.WaitGroup
	for i := range all {
		sending.Go(func() { p.send(e, &all[i]) })
	}
	sending.Wait()
}

// needless reports whether the user has the message, or a session that gets it.
func (p *Pusher) needless(e *errand) bool {
	if e.receipts != "" {
		p.pause(e.message.after())
		there, err := p.acknowledged(e)
		if err != nil {
			p.opts.Logger.Warn("not known who has acknowledged a message", "error", err)
		}
		return there
	}
	there, err := p.opts.Present(p.ctx, e.user)
	if err != nil {
		p.opts.Logger.Warn("not known whether a user is there", "error", err)
	}
	return there
}

// pause waits; it reports false if the pusher closes meanwhile.
func (p *Pusher) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-p.closing:
		return false
	}
}

// acknowledged reports whether a client of the user has acknowledged the message.
func (p *Pusher) acknowledged(e *errand) (bool, error) {
	r, err := p.bus.History(p.ctx, e.receipts, bus.Query{Last: TopicRule().History})
	if err != nil {
		return false, err
	}
	for i := range r.Messages {
		var receipt struct{ User string }
		if err := json.Unmarshal(r.Messages[i].Data, &receipt); err != nil {
			return false, err
		}
		if receipt.User == e.user {
			return true, nil
		}
	}
	return false, nil
}

const firstPause = time.Second

// send sends a notification to one browser, and again if that may help.
func (p *Pusher) send(e *errand, s *Subscription) {
	pause := firstPause
	for attempt := 1; ; attempt++ {
		err := p.try(e, s)
		var again *retry
		switch {
		case err == nil:
			p.opts.Trace.Sent()
			return
		case errors.Is(err, errExpired):
			p.opts.Trace.Expired()
			if err := p.opts.Store.Delete(p.ctx, e.user, s.Endpoint); err != nil {
				p.opts.Logger.Warn("push subscription not removed", "error", err)
			}
			return
		case !errors.As(err, &again):
			p.failed("refused", err)
			return
		}
		next := min(pause, p.opts.MaxPause)
		if again.after > 0 {
			next = again.after
		}
		ttl := time.Duration(e.message.ttl()) * time.Second
		if attempt >= p.opts.MaxAttempts || next > p.opts.MaxPause || ttl > 0 && time.Since(e.began)+next > ttl {
			p.failed("unreachable", err)
			return
		}
		if !p.pause(next) {
			p.failed("shutdown", err)
			return
		}
		pause *= 2
	}
}

// errExpired says that there is no such subscription any more (RFC 8030 section 7.3).
var errExpired = errors.New("the subscription is over")

// A retry is an error that may go away.
type retry struct {
	after time.Duration // as the push service says; zero: it does not
	err   error
}

func (r *retry) Error() string { return r.err.Error() }

// try sends once (RFC 8030 section 5).
func (p *Pusher) try(e *errand, s *Subscription) error {
	p.slots <- struct{}{}
	defer func() { <-p.slots }()
	r, err := p.request(e, s)
	if err != nil {
		return err
	}
	resp, err := p.client.Do(r)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // it names the endpoint, which is a secret
		}
		return &retry{err: err}
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, 4<<10)) // to use the connection again
	err = fmt.Errorf("the push service of %s answered with status %d", r.URL.Host, resp.StatusCode)
	switch c := resp.StatusCode; {
	case c/100 == 2:
		return nil
	case c == http.StatusNotFound || c == http.StatusGone:
		return errExpired
	case c == http.StatusTooManyRequests || c == http.StatusRequestTimeout || c/100 == 5:
		return &retry{retryAfter(resp.Header.Get("Retry-After"), time.Now()), err}
	}
	return err
}

// request makes the request, encrypted and signed anew.
func (p *Pusher) request(e *errand, s *Subscription) (*http.Request, error) {
	to, err := s.receiver()
	if err != nil {
		return nil, err
	}
	if err := p.reach.check(to.endpoint); err != nil {
		return nil, err // it was allowed once
	}
	body, err := seal(e.payload, to)
	if err != nil {
		return nil, err
	}
	sign, err := p.opts.Keys.authorization(to.endpoint, p.opts.Subject, time.Now())
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(p.ctx, http.MethodPost, s.Endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	h := r.Header
	h.Set("Authorization", sign)
	h.Set("Content-Encoding", "aes128gcm")
	h.Set("Content-Type", "application/octet-stream")
	h.Set("TTL", strconv.Itoa(e.message.ttl()))
	if u := e.message.Urgency; u != "" {
		h.Set("Urgency", u)
	}
	if t := e.message.Topic; t != "" {
		h.Set("Topic", t)
	}
	return r, nil
}

// retryAfter reads the header of RFC 9110 section 10.2.3. What cannot be read is zero.
func retryAfter(s string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(s, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(s); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
