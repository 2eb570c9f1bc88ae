package pushclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mochibosh/mochibosh/internal/pushclient"
	"github.com/mochibosh/mochibosh/internal/pushtest"
	"github.com/mochibosh/mochibosh/transport"
)

// lossy loses every second request on its way, or every second answer.
type lossy struct {
	http.RoundTripper
	n atomic.Int64
}

func (l *lossy) RoundTrip(r *http.Request) (*http.Response, error) {
	n := l.n.Add(1)
	if n%4 == 2 {
		return nil, errors.New("the request was lost")
	}
	resp, err := l.RoundTripper.RoundTrip(r)
	if err == nil && n%4 == 0 {
		resp.Body.Close()
		return nil, errors.New("the answer was lost")
	}
	return resp, err
}

func TestNothingIsLostOrDoubled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := pushtest.Start(t, pushtest.Options{})
		client := &http.Client{Transport: &lossy{RoundTripper: server.Client.Transport}}
		s, err := pushclient.Connect(t.Context(), pushclient.Options{URL: "http://push.test/push", Client: client})
		if err != nil {
			t.Fatal(err)
		}
		const n = 50
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for i := range n {
				if err := s.Send(t.Context(), json.RawMessage(fmt.Sprint(i)), json.RawMessage(`"x"`)); err != nil {
					t.Error(err)
				}
			}
		}()
		var got []string
		for len(got) < 2*n {
			messages, err := s.Receive(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range messages {
				got = append(got, string(m))
			}
		}
		for i := range n {
			if got[2*i] != fmt.Sprint(i) || got[2*i+1] != `"x"` {
				t.Fatalf("got %v", got)
			}
		}
		<-sent
		_ = s.Close(t.Context()) // lost or not
		client.CloseIdleConnections()
	})
}

func TestEndsAndRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := pushtest.Start(t, pushtest.Options{Max: 1})
		o := pushclient.Options{URL: "http://push.test/push", Client: server.Client}
		s, err := pushclient.Connect(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		var refused *pushclient.Error
		if _, err := pushclient.Connect(t.Context(), o); !errors.As(err, &refused) || refused.Code != "unavailable" {
			t.Errorf("a second: %v", err)
		}
		if err := s.Send(t.Context(), json.RawMessage(`"`+strings.Repeat("x", 300<<10)+`"`)); !errors.As(err, &refused) || refused.Code != "too-big" {
			t.Errorf("too much: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := s.Receive(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("nothing to receive: %v", err)
		}
		live, err := server.Manager.Lookup(t.Context(), s.ID)
		if err != nil {
			t.Fatal(err)
		}
		live.Terminate(&transport.Termination{Condition: transport.Expired, Text: "the token has expired"})
		var end *pushclient.End
		if _, err := s.Receive(t.Context()); !errors.As(err, &end) || end.Code != "expired" || !end.Retry {
			t.Errorf("after the end: %v", err)
		}
		if err := s.Send(t.Context(), json.RawMessage(`1`)); !errors.As(err, &end) {
			t.Errorf("sent after the end: %v", err)
		}
	})
	t.Run("another server", func(t *testing.T) {
		for status, body := range map[int]string{200: "<html>", 404: "not found", 201: "{}"} {
			client := &http.Client{Transport: says{status, body}}
			if _, err := pushclient.Connect(t.Context(), pushclient.Options{URL: "http://push.test/push", Client: client}); err == nil {
				t.Errorf("%d %s is taken", status, body)
			}
		}
	})
}

type says struct {
	status int
	body   string
}

func (s says) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: s.status, Status: fmt.Sprint(s.status), Body: io.NopCloser(strings.NewReader(s.body))}, nil
}
