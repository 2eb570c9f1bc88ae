package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/mochibosh/mochibosh/internal/pushclient"
	"github.com/mochibosh/mochibosh/transport/push"
)

// doctorCommand tries each carrier as a browser would use it: whether it gets
// through, whether what the server says comes at once, and how long it may be
// silent.
type doctorCommand struct {
	remote   `embed:""`
	Silence  time.Duration `default:"0s" help:"How long to be silent. 0: as long as the server is, between two signs of life."`
	Patience time.Duration `default:"5s" help:"How long anything may take to come."`
}

// A verdict is what the network does to a carrier.
type verdict struct {
	carrier string
	state   string // "works", "cut", "buffered" or "blocked"
	detail  string
}

// errBuffered means that something was sent, and does not come.
var errBuffered = errors.New("nothing comes while the answer is open")

// errCut means that the network ended what was silent.
type errCut struct {
	after time.Duration
	err   error
}

// Error implements error.
func (e *errCut) Error() string { return fmt.Sprintf("cut after %v", e.after.Round(time.Second/10)) }

// Run prints a verdict for each carrier. It is an error if none works.
func (c *doctorCommand) Run(t *terminal) error {
	carriers := []struct {
		name string
		try  func(context.Context) (string, error)
	}{
		{"longpoll", c.longPoll},
		{"sse", c.events},
		{"websocket", c.socket},
	}
	verdicts := make([]verdict, len(carriers))
	var all sync.WaitGroup
	for i, carrier := range carriers {
		all.Go(func() {
			detail, err := carrier.try(t.ctx)
			verdicts[i] = judge(carrier.name, detail, err)
		})
	}
	all.Wait()
	works := false
	for _, v := range verdicts {
		works = works || v.state == "works" || v.state == "cut"
		if _, err := fmt.Fprintf(t.stdout, "%-10s %-9s %s\n", v.carrier, v.state, v.detail); err != nil {
			return err
		}
	}
	if !works && t.ctx.Err() == nil {
		return errors.New("no carrier works")
	}
	return nil
}

func judge(carrier, detail string, err error) verdict {
	var cut *errCut
	var refused *pushclient.Error
	switch {
	case err == nil:
		return verdict{carrier, "works", detail}
	case errors.Is(err, errBuffered):
		return verdict{carrier, "buffered", err.Error() + ": a proxy keeps it back (nginx: proxy_buffering off)"}
	case errors.As(err, &cut):
		return verdict{carrier, "cut", fmt.Sprintf("%s; %s of silence: the server's push-wait must be shorter, or the proxy's time-out longer", detail, cut)}
	case errors.As(err, &refused):
		return verdict{carrier, "blocked", fmt.Sprintf("refused with %s", refused)}
	}
	return verdict{carrier, "blocked", err.Error()}
}

func (c *doctorCommand) connect(ctx context.Context) (*pushclient.Session, time.Duration, error) {
	s, err := pushclient.Connect(ctx, pushclient.Options{URL: c.address("/push"), Token: c.Token})
	if err != nil {
		return nil, 0, err
	}
	silence := c.Silence
	if silence == 0 {
		silence = s.Wait
	}
	return s, silence, nil
}

// question is a message that the bus answers, whoever asks.
var question = json.RawMessage(`{"op":"doctor"}`)

func (c *doctorCommand) longPoll(ctx context.Context) (string, error) {
	s, silence, err := c.connect(ctx)
	if err != nil {
		return "", err
	}
	defer s.Close(ctx)
	start := time.Now()
	patient, cancel := context.WithTimeout(ctx, c.Patience)
	defer cancel()
	if err := s.Send(patient, question); err != nil {
		return "", err
	}
	if _, err := s.Receive(patient); err != nil {
		return "", err
	}
	detail := thereAndBack(start)
	// One poll by hand: how it breaks is the point.
	start = time.Now()
	body := fmt.Sprintf(`{"session":%q,"key":%q,"attach":1000000,"ack":1,"wait":%d}`, s.ID, s.Key, silence/time.Second)
	held, cancel := context.WithTimeout(ctx, silence+c.Patience)
	defer cancel()
	r, err := http.NewRequestWithContext(held, http.MethodPost, c.address("/push"), strings.NewReader(body))
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(r)
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if err == nil && resp.StatusCode != http.StatusOK {
			err = errors.New(resp.Status)
		}
	}
	if err != nil {
		return detail, &errCut{time.Since(start), err}
	}
	return detail + fmt.Sprintf("; a request is held for %v", time.Since(start).Round(time.Second/10)), nil
}

func thereAndBack(start time.Time) string {
	return fmt.Sprintf("there and back in %v", time.Since(start).Round(time.Millisecond))
}

func (c *doctorCommand) events(ctx context.Context) (string, error) {
	s, silence, err := c.connect(ctx)
	if err != nil {
		return "", err
	}
	defer s.Close(ctx)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	u := c.address("/push/sse?attach=1&session=" + url.QueryEscape(s.ID))
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return "", err
	}
	r.Header.Set("Authorization", "Bearer "+s.Key)
	lines := make(chan error)
	open := make(chan error, 1)
	go func() {
		defer close(lines)
		resp, err := http.DefaultClient.Do(r)
		if err == nil && resp.StatusCode != http.StatusOK {
			err = errors.New(resp.Status)
		}
		open <- err
		if err != nil {
			return
		}
		defer resp.Body.Close()
		for in := bufio.NewReader(resp.Body); ; {
			line, err := in.ReadBytes('\n')
			if err == nil && !bytes.HasPrefix(line, []byte("data:")) {
				continue
			}
			select {
			case lines <- err:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	// A proxy that keeps the first event back may keep the header back, too.
	patience := time.After(c.Patience)
	for opened := false; !opened; {
		select {
		case err := <-open:
			if err != nil {
				return "", err
			}
			opened = true
		case <-patience:
			return "", errBuffered
		}
	}
	if err := within(lines, patience); err != nil {
		return "", err
	}
	start := time.Now()
	if err := s.Send(ctx, question); err != nil {
		return "", err
	}
	if err := within(lines, time.After(c.Patience)); err != nil {
		return "", err
	}
	detail := thereAndBack(start)
	start = time.Now()
	if err := within(lines, time.After(silence+c.Patience)); err != nil {
		return detail, &errCut{time.Since(start), err}
	}
	return detail + fmt.Sprintf("; a sign of life after %v", time.Since(start).Round(time.Second/10)), nil
}

// within waits for an event.
func within(events <-chan error, patience <-chan time.Time) error {
	select {
	case err := <-events:
		return err
	case <-patience:
		return errBuffered
	}
}

func (c *doctorCommand) socket(ctx context.Context) (string, error) {
	// The creation is a post's: the token goes there, and tells why it is refused.
	s, silence, err := c.connect(ctx)
	if err != nil {
		return "", err
	}
	defer s.Close(ctx)
	d := websocket.Dialer{Proxy: http.ProxyFromEnvironment, Subprotocols: []string{push.Protocol}, HandshakeTimeout: c.Patience}
	ws, resp, err := d.DialContext(ctx, "ws"+strings.TrimPrefix(c.address("/push/ws"), "http"), nil)
	if err != nil {
		if resp != nil {
			return "", fmt.Errorf("no WebSocket, but %s", resp.Status)
		}
		return "", err
	}
	defer ws.Close()
	stop := context.AfterFunc(ctx, func() { ws.Close() })
	defer stop()
	exchange := func(object string) error {
		if err := ws.WriteMessage(websocket.TextMessage, []byte(object)); err != nil {
			return err
		}
		ws.SetReadDeadline(time.Now().Add(c.Patience))
		_, _, err := ws.ReadMessage()
		return err
	}
	if err := exchange(fmt.Sprintf(`{"session":%q,"key":%q,"attach":1}`, s.ID, s.Key)); err != nil {
		return "", err
	}
	start := time.Now()
	if err := exchange(fmt.Sprintf(`{"messages":[%s]}`, question)); err != nil {
		return "", err
	}
	detail := thereAndBack(start)
	start = time.Now()
	alive := errors.New("a ping")
	ws.SetPingHandler(func(string) error { return alive })
	ws.SetReadDeadline(start.Add(silence + c.Patience))
	for {
		if _, _, err = ws.ReadMessage(); err != nil {
			break // else it is the rest of what was asked for
		}
	}
	if !errors.Is(err, alive) {
		return detail, &errCut{time.Since(start), err}
	}
	return detail + fmt.Sprintf("; a sign of life after %v", time.Since(start).Round(time.Second/10)), nil
}
