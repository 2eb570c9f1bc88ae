package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mochibosh/mochibosh/internal/clientaddr"
	"github.com/mochibosh/mochibosh/transport"
)

// from returns the context of a request from an address.
func from(address string) (ctx context.Context) {
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = address + ":4000"
	clientaddr.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { ctx = r.Context() }), nil, clientaddr.Either).
		ServeHTTP(httptest.NewRecorder(), r)
	return ctx
}

func TestAdmission(t *testing.T) {
	t.Run("the rate is let off with the time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a := newAdmission(0, 0, 60)
			ann := from("192.0.2.1")
			for n := range 60 {
				if _, err := a.admit(ann); err != nil || a.refuses(ann) != (n == 59) {
					t.Fatalf("%d: %v, refuses %v", n, err, a.refuses(ann))
				}
			}
			if _, err := a.admit(ann); err != transport.ErrClientLimit {
				t.Fatalf("above the rate: %v", err)
			}
			time.Sleep(time.Second)
			if _, err := a.admit(ann); err != nil {
				t.Errorf("a second later: %v", err)
			}
			if _, err := a.admit(ann); err != transport.ErrClientLimit {
				t.Errorf("one a second: %v", err)
			}
			time.Sleep(time.Hour)
			for n := range 61 {
				if _, err := a.admit(ann); (err != nil) != (n == 60) {
					t.Fatalf("an hour later, %d: %v", n, err)
				}
			}
		})
	})
	t.Run("sessions that end make room", func(t *testing.T) {
		a := newAdmission(1, 0, 0)
		release, err := a.admit(from("192.0.2.1"))
		if err != nil || !a.refuses(from("192.0.2.1")) || a.refuses(from("192.0.2.2")) {
			t.Fatal(err)
		}
		release()
		if a.refuses(from("192.0.2.1")) {
			t.Error("no room")
		}
	})
	t.Run("users have limits of their own, wherever they come from", func(t *testing.T) {
		a := newAdmission(0, 2, 0)
		ann := func(address string) context.Context { return transport.WithUser(from(address), "ann") }
		release, err := a.admit(ann("192.0.2.1"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.admit(ann("192.0.2.2")); err != nil {
			t.Fatal(err)
		}
		if _, err := a.admit(ann("192.0.2.3")); err != transport.ErrClientLimit {
			t.Errorf("a third: %v", err)
		}
		for _, other := range []context.Context{from("192.0.2.1"), transport.WithUser(from("192.0.2.1"), "ben")} {
			release, err := a.admit(other)
			if err != nil {
				t.Errorf("others: %v", err)
				continue
			}
			if release != nil {
				release()
			}
		}
		release()
		if release, err = a.admit(ann("192.0.2.3")); err != nil {
			t.Fatalf("when one has ended: %v", err)
		}
		release()
		if len(a.users) != 1 || a.users["ann"] != 1 {
			t.Errorf("remembered: %v", a.users)
		}
	})
	t.Run("no limits", func(t *testing.T) {
		a := newAdmission(0, 0, 0)
		for range 2000 {
			if _, err := a.admit(from("192.0.2.1")); err != nil {
				t.Fatal(err)
			}
		}
		if len(a.clients) != 0 {
			t.Error("something is remembered")
		}
	})
	t.Run("addresses are not remembered for ever", func(t *testing.T) {
		a := newAdmission(10, 0, 10)
		a.remember = 100
		a.admit(from("198.51.100.1"))
		for n := range 1000 {
			release, err := a.admit(from(fmt.Sprintf("10.0.%d.%d", n>>8, n&255)))
			if err != nil {
				t.Fatal(err)
			}
			release()
		}
		if len(a.clients) > 101 || len(a.clients) < 2 {
			t.Errorf("%d are", len(a.clients))
		}
		if c := a.clients[netip.MustParsePrefix("198.51.100.1/32")]; c == nil || c.sessions != 1 {
			t.Error("but those with sessions are")
		}
	})
}
