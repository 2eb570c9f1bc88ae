package webtoken

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/mochibosh/mochibosh/auth"
)

// A site answers what it is set to, and counts.
type site struct {
	answer atomic.Pointer[[]byte] // nil: none
	status int
	asked  atomic.Int32
	delay  time.Duration
}

func (s *site) serve(set []byte) { s.answer.Store(&set) }

// RoundTrip implements http.RoundTripper.
func (s *site) RoundTrip(r *http.Request) (*http.Response, error) {
	s.asked.Add(1)
	select {
	case <-time.After(s.delay):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	answer := s.answer.Load()
	if answer == nil {
		return nil, errors.New("connection refused")
	}
	return &http.Response{StatusCode: max(s.status, 200), Body: io.NopCloser(bytes.NewReader(*answer))}, nil
}

func TestRemoteKeys(t *testing.T) {
	type house struct {
		*site
		verifier *Verifier
	}
	run := func(name string, f func(t *testing.T, h house)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &site{}
				r, err := NewRemote("https://app.example/keys", &RemoteOptions{Client: &http.Client{Transport: s}})
				if err != nil {
					t.Fatal(err)
				}
				f(t, house{s, NewVerifier(&Options{Remote: r, NoExpiry: true})})
			})
		})
	}
	const life = 100 * 365 * 24 * time.Hour
	claims := jwt.MapClaims{"sub": "ann", "exp": time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(life).Unix()}
	byRSA := sign(t, jwt.SigningMethodRS256, rsaKey, claims, "kid", "rsa")
	byP256 := sign(t, jwt.SigningMethodES256, p256, claims, "kid", "p256")
	want := func(t *testing.T, h house, token string, code auth.Code, asked int) {
		t.Helper()
		_, err := h.verifier.Authenticate(t.Context(), token)
		if code != "" {
			wantCode(t, err, code)
		} else if err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if got := int(h.asked.Load()); got != asked {
			t.Errorf("fetched %d times, want %d", got, asked)
		}
	}

	run("are fetched when they are needed, and kept", func(t *testing.T, h house) {
		h.serve(set(t, "rsa"))
		if h.asked.Load() != 0 {
			t.Error("fetched at once")
		}
		want(t, h, byRSA, "", 1)
		time.Sleep(DefaultRefresh - 1)
		want(t, h, byRSA, "", 1)
		time.Sleep(time.Nanosecond)
		want(t, h, byRSA, "", 2) // with the old ones, meanwhile
	})
	run("a key that is new is found", func(t *testing.T, h house) {
		h.serve(set(t, "rsa"))
		want(t, h, byRSA, "", 1)
		h.serve(set(t, "rsa", "p256"))
		want(t, h, byP256, auth.Unauthorized, 1) // too early to look again
		time.Sleep(DefaultMinRefresh)
		want(t, h, byP256, "", 2)
	})
	run("a key that is withdrawn is not", func(t *testing.T, h house) {
		h.serve(set(t, "rsa", "p256"))
		want(t, h, byP256, "", 1)
		h.serve(set(t, "rsa"))
		time.Sleep(DefaultRefresh)
		want(t, h, byRSA, "", 2)
		want(t, h, byP256, auth.Unauthorized, 2)
	})
	run("unknown names of keys do not make it ask more often", func(t *testing.T, h house) {
		h.serve(set(t, "rsa"))
		for range 100 {
			h.verifier.Authenticate(t.Context(), sign(t, jwt.SigningMethodRS256, rsaKey, claims, "kid", "x"))
		}
		want(t, h, byRSA, "", 1)
	})
	run("old keys do while no new ones come, but not for ever", func(t *testing.T, h house) {
		h.serve(set(t, "rsa"))
		want(t, h, byRSA, "", 1)
		h.answer.Store(nil)
		time.Sleep(DefaultMaxStale)
		want(t, h, byRSA, "", 2)
		time.Sleep(DefaultMinRefresh)
		want(t, h, byRSA, auth.Unavailable, 3)
		h.serve(set(t, "rsa"))
		time.Sleep(DefaultMinRefresh)
		want(t, h, byRSA, "", 4)
	})
	for name, answer := range map[string][]byte{
		"nonsense":    []byte("<html>"),
		"no keys":     []byte(`{"keys":[]}`),
		"too much":    bytes.Repeat([]byte(" "), DefaultMaxSet+1),
		"only secret": []byte(`{"keys":[{"kty":"oct","k":"` + strings.Repeat("A", 64) + `"}]}`),
	} {
		run("a site that answers with "+name, func(t *testing.T, h house) {
			h.serve(answer)
			want(t, h, byRSA, auth.Unavailable, 1)
		})
	}
	run("a site that answers with an error", func(t *testing.T, h house) {
		h.status = 500
		h.serve(set(t, "rsa"))
		want(t, h, byRSA, auth.Unavailable, 1)
	})
	run("a site that does not answer", func(t *testing.T, h house) {
		h.delay = time.Hour
		before := time.Now()
		want(t, h, byRSA, auth.Unavailable, 1)
		if took := time.Since(before); took != DefaultTimeout {
			t.Errorf("it took %v", took)
		}
	})
	run("many wait for one fetch, and each only as long as it likes", func(t *testing.T, h house) {
		h.delay = time.Second
		h.serve(set(t, "rsa"))
		results := make(chan error, 50)
		for range cap(results) {
			go func() {
				_, err := h.verifier.Authenticate(t.Context(), byRSA)
				results <- err
			}()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		if _, err := h.verifier.Authenticate(ctx, byRSA); err == nil {
			t.Error("nobody waited")
		}
		for range cap(results) {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		if n := h.asked.Load(); n != 1 {
			t.Errorf("fetched %d times", n)
		}
	})
	t.Run("an address that others can listen in on is none", func(t *testing.T) {
		for _, url := range []string{"", "keys", "http://app.example/keys", "ftp://app.example", "https://"} {
			if _, err := NewRemote(url, nil); err == nil {
				t.Errorf("%q is taken", url)
			}
		}
		for _, url := range []string{"https://app.example/keys", "http://127.0.0.1:1/keys", "http://localhost/keys", "http://[::1]/keys"} {
			if _, err := NewRemote(url, nil); err != nil {
				t.Error(err)
			}
		}
	})
}
