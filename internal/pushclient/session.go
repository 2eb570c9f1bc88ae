// Package pushclient is a small client of push.v1 over long-poll, for programs:
// it makes a session, sends and receives, and repeats whatever gets lost on the
// way.
package pushclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Options say where the server is, and who the client.
type Options struct {
	// URL is that of the long-poll carrier, such as http://127.0.0.1:8888/push.
	URL string
	// Token says who the client is. Empty: nobody in particular.
	Token string
	// Wait is the longest hold of a poll. Zero: the server's.
	Wait time.Duration
	// Client makes the requests. Nil: http.DefaultClient.
	Client *http.Client
}

// A Session is one with the server. Send and Receive may be called at the same
// time, each by one goroutine.
type Session struct {
	opts    Options
	ID, Key string
	User    string        // as the token says; empty: nobody in particular
	Wait    time.Duration // the longest hold of a poll

	sending sync.Mutex
	sent    uint64 // messages sent, and acknowledged

	attach, received uint64
}

// An Error is a refusal of the server.
type Error struct {
	Status  int    // of HTTP
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Error implements error.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// An End is why a session is over.
type End struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Retry   bool   `json:"retry"` // a new session makes sense
}

// Error implements error.
func (e *End) Error() string { return "the session ended: " + e.Code + " " + e.Message }

// object is one of push.v1.
type object struct {
	Session  string            `json:"session,omitempty"`
	Key      string            `json:"key,omitempty"`
	Token    string            `json:"token,omitempty"`
	User     string            `json:"user,omitempty"`
	First    uint64            `json:"first,omitempty"`
	Messages []json.RawMessage `json:"messages,omitempty"`
	Ack      uint64            `json:"ack,omitempty"`
	Attach   uint64            `json:"attach,omitempty"`
	Wait     *int              `json:"wait,omitempty"`
	Replaced bool              `json:"replaced,omitempty"`
}

type answer struct {
	object
	End   *End   `json:"end"`
	Error *Error `json:"error"`
}

// maxAnswer bounds the bytes of an answer.
const maxAnswer = 64 << 20

// Connect makes a session. It tries once. Errors: *Error; those of HTTP.
func Connect(ctx context.Context, o Options) (*Session, error) {
	if o.Client == nil {
		o.Client = http.DefaultClient
	}
	s := &Session{opts: o}
	q := object{Token: o.Token}
	if o.Wait > 0 {
		seconds := int(o.Wait / time.Second)
		q.Wait = &seconds
	}
	a, err := s.exchange(ctx, &q)
	if err != nil {
		return nil, err
	}
	if a.Session == "" || a.Wait == nil {
		return nil, errors.New("this is no server of push.v1")
	}
	s.ID, s.Key, s.User, s.Wait = a.Session, a.Key, a.User, time.Duration(*a.Wait)*time.Second
	return s, nil
}

// Send sends messages, and returns when the server has them. Errors: *Error,
// *End; the context's.
func (s *Session) Send(ctx context.Context, messages ...json.RawMessage) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	q := object{Session: s.ID, Key: s.Key, First: s.sent + 1, Messages: messages}
	_, err := s.persist(ctx, func() (*answer, error) {
		a, err := s.exchange(ctx, &q)
		if err == nil && a.Ack < s.sent+uint64(len(messages)) {
			err = errors.New("not all is acknowledged")
		}
		return a, err
	})
	if err == nil {
		s.sent += uint64(len(messages))
	}
	return err
}

// Receive waits for messages of the server, of which it is told with the next
// call that they arrived. Errors: *Error, *End; the context's.
func (s *Session) Receive(ctx context.Context) ([]json.RawMessage, error) {
	for {
		a, err := s.persist(ctx, func() (*answer, error) {
			s.attach++
			ctx, cancel := context.WithTimeout(ctx, 2*s.Wait+10*time.Second)
			defer cancel()
			return s.exchange(ctx, &object{Session: s.ID, Key: s.Key, Attach: s.attach, Ack: s.received})
		})
		if err != nil {
			return nil, err
		}
		new := a.Messages
		if a.First <= s.received { // some of them came before
			new = new[min(uint64(len(new)), s.received+1-a.First):]
		}
		if len(new) > 0 {
			s.received += uint64(len(new))
			return new, nil
		}
	}
}

// Close ends the session. That it could not be told does no harm: the server
// ends it after a while.
func (s *Session) Close(ctx context.Context) error {
	_, err := s.post(ctx, []byte(fmt.Sprintf(`{"session":%q,"key":%q,"ack":%d,"end":true}`, s.ID, s.Key, s.received)))
	return err
}

// persist tries again after what may pass, ever more slowly.
func (s *Session) persist(ctx context.Context, try func() (*answer, error)) (*answer, error) {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		a, err := try()
		var final *End
		var refused *Error
		switch {
		case err == nil, errors.As(err, &final), ctx.Err() != nil:
			return a, err
		case errors.As(err, &refused) && refused.Status < 500 && refused.Code != "window" && refused.Code != "too-many":
			return nil, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (s *Session) exchange(ctx context.Context, q *object) (*answer, error) {
	body, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	return s.post(ctx, body)
}

func (s *Session) post(ctx context.Context, body []byte) (*answer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.opts.URL, strings.NewReader(string(body)))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := s.opts.Client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	var a answer
	if err := json.Unmarshal(data, &a); err != nil {
		return nil, &Error{resp.StatusCode, "not-push", fmt.Sprintf("%s, and no object of push.v1", resp.Status)}
	}
	switch {
	case a.Error != nil:
		a.Error.Status = resp.StatusCode
		return nil, a.Error
	case a.End != nil && len(a.Messages) == 0:
		return nil, a.End // else they come first, and it is told again
	}
	return &a, nil
}
