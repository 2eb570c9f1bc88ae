package memnet_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mochibosh/mochibosh/internal/memnet"
)

func bubble(f func(t *testing.T)) func(*testing.T) {
	return func(t *testing.T) { synctest.Test(t, f) }
}

func TestHTTP(t *testing.T) {
	t.Run("a server's answer takes the time that the handler takes, and none", bubble(func(t *testing.T) {
		l := memnet.Listen()
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Hour)
			io.Copy(w, r.Body)
		})}
		go srv.Serve(l)
		defer srv.Close()
		tr := l.Transport()
		defer tr.CloseIdleConnections()

		start := time.Now()
		resp, err := (&http.Client{Transport: tr}).Post("http://a.test/", "text/plain", strings.NewReader("echo"))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "echo" {
			t.Errorf("answer %q, %v", body, err)
		}
		if d := time.Since(start); d != time.Hour {
			t.Errorf("took %v", d)
		}
	}))

	t.Run("a handler learns that its client went away", bubble(func(t *testing.T) {
		l := memnet.Listen()
		gone := make(chan time.Time, 1)
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			gone <- time.Now()
		})}
		go srv.Serve(l)
		defer srv.Close()
		tr := l.Transport()
		defer tr.CloseIdleConnections()

		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		req, _ := http.NewRequestWithContext(ctx, "GET", "http://a.test/", nil)
		if _, err := tr.RoundTrip(req); err == nil {
			t.Error("answered")
		}
		if d := (<-gone).Sub(start); d != time.Minute {
			t.Errorf("learned after %v", d)
		}
	}))
}

func TestListener(t *testing.T) {
	t.Run("deadlines work", bubble(func(t *testing.T) {
		l := memnet.Listen()
		defer l.Close()
		go l.Accept()
		c, err := l.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		start := time.Now()
		c.SetReadDeadline(start.Add(time.Second))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		if host, _, err := net.SplitHostPort(c.RemoteAddr().String()); err != nil || host == "" {
			t.Errorf("address %v: %v", c.RemoteAddr(), err)
		}
	}))

	t.Run("after Close nobody connects", bubble(func(t *testing.T) {
		l := memnet.Listen()
		l.Close()
		l.Close()
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept: %v", err)
		}
		if _, err := l.Dial(t.Context()); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Dial: %v", err)
		}
	}))

	t.Run("a dial that nobody accepts ends with its context", bubble(func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := memnet.Listen().Dial(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Dial: %v", err)
		}
	}))
}
