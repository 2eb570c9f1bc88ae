package main

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAttempts(t *testing.T) {
	bubble := func(f func(t *testing.T)) func(*testing.T) {
		return func(t *testing.T) { synctest.Test(t, f) }
	}
	t.Run("who fails too often waits, and others do not", bubble(func(t *testing.T) {
		var log strings.Builder
		a := newAttempts(3, slog.New(slog.NewTextHandler(&log, nil)))
		ann, ben := from("192.0.2.1"), from("192.0.2.2")
		for range 3 {
			if wait := a.Wait(ann); wait != 0 {
				t.Errorf("has to wait for %v", wait)
			}
			a.Failed(ann)
		}
		if wait := a.Wait(ann); wait != 20*time.Second {
			t.Errorf("waits for %v", wait)
		}
		a.Failed(ann) // one that was under way
		if wait := a.Wait(ben); wait != 0 {
			t.Errorf("another waits for %v", wait)
		}
		time.Sleep(20 * time.Second)
		if wait := a.Wait(ann); wait != 0 {
			t.Errorf("afterwards it waits for %v", wait)
		}
		if n := strings.Count(log.String(), "sign-ins are refused"); n != 1 {
			t.Errorf("logged %d times: %s", n, &log)
		}
	}))
	t.Run("a network of IPv6 is one client", bubble(func(t *testing.T) {
		a := newAttempts(1, slog.New(slog.DiscardHandler))
		a.Failed(from("[2001:db8::1]"))
		if a.Wait(from("[2001:db8::2]")) == 0 || a.Wait(from("[2001:db8:0:1::1]")) != 0 {
			t.Error("it is not")
		}
	}))
	t.Run("nobody counts", bubble(func(t *testing.T) {
		a := newAttempts(0, slog.New(slog.DiscardHandler))
		for range 1000 {
			a.Failed(from("192.0.2.1"))
		}
		if a.Wait(from("192.0.2.1")) != 0 || len(a.clients) != 0 {
			t.Error("somebody does")
		}
	}))
	t.Run("addresses are not remembered for ever", bubble(func(t *testing.T) {
		a := newAttempts(2, slog.New(slog.DiscardHandler))
		a.remember = 10
		fail := func(n int) { a.Failed(from(fmt.Sprintf("10.0.%d.%d", n>>8, n&255))) }
		for n := range 9 {
			fail(n)
		}
		time.Sleep(time.Minute)
		fail(1000)
		fail(1000)
		fail(1001)
		if len(a.clients) != 2 || a.Wait(from("10.0.3.232")) == 0 {
			t.Errorf("%d are, %v", len(a.clients), a.clients)
		}
		for n := range 1000 {
			fail(n)
		}
		if len(a.clients) > 10 {
			t.Errorf("%d are", len(a.clients))
		}
	}))
}

// Tokens and keys that are none are refused with 401, and then with 429.
func TestSignInsThatFail(t *testing.T) {
	const bob = "X-Forwarded-For: 192.0.2.1"
	p := start(t, "--dev=false", pushOn, "--signin-failure-rate=2", "--token-key="+writeFile(t, "secret", tokenSecret), "--allow=anonymous subscribe on t")
	wait := func(a answer) {
		t.Helper()
		if got := a.Header.Get("Retry-After"); got == "" || got == "0" {
			t.Errorf("Retry-After: %q", got)
		}
	}
	call(t, "POST", p.url+"/push", `{"token":"x"}`, bob).wantStatus(t, 401)
	call(t, "POST", p.url+"/http-bind", creation, "Authorization: Bearer x", bob).wantStatus(t, 401)
	wait(call(t, "POST", p.url+"/push", `{"token":"x"}`, bob).wantStatus(t, 429).wantBody(t, `"code":"too-many","message":"too many sign-ins have failed, try again later"`))
	wait(call(t, "POST", p.url+"/http-bind", creation, "Authorization: Bearer x", bob).wantStatus(t, 429))
	wait(call(t, "POST", p.url+"/api/publish", `{}`, "Authorization: Bearer x", bob).wantStatus(t, 429).wantBody(t, `"too-fast"`))
	p.until(`sign-ins are refused.* (network=192\.0\.2\.1/32)`)
	// Who has no token, and others, notice nothing.
	call(t, "POST", p.url+"/push", `{}`, bob).wantStatus(t, 201)
	call(t, "POST", p.url+"/push", `{"token":"x"}`, "X-Forwarded-For: 192.0.2.2").wantStatus(t, 401)
	call(t, "POST", p.url+"/api/publish", `{}`, "Authorization: Bearer x", "X-Forwarded-For: 192.0.2.2").wantStatus(t, 401)
	call(t, "POST", p.url+"/push", `{"token":"x"}`, "X-Forwarded-For: 192.0.2.2").wantStatus(t, 429)
}
