package receipthook

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mochibosh/mochibosh/backends/bus"
)

// An application takes receipts, or does not: it answers with one status after the
// other, the last for ever; zero is no answer at all.
type application struct {
	statuses []int
	at       []time.Duration
	began    time.Time
	ids      map[string]bool
	body     string
	header   http.Header
}

// RoundTrip implements http.RoundTripper.
func (a *application) RoundTrip(r *http.Request) (*http.Response, error) {
	if a.ids == nil {
		a.ids = make(map[string]bool)
	}
	a.at = append(a.at, time.Since(a.began))
	a.ids[r.Header.Get("webhook-id")] = true
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	a.body, a.header = string(body), r.Header
	status := a.statuses[0]
	if len(a.statuses) > 1 {
		a.statuses = a.statuses[1:]
	}
	if status == 0 {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("whatever"))}, nil
}

func TestPost(t *testing.T) {
	for _, tt := range []struct {
		name     string
		statuses []int
		retry    time.Duration
		want     string // the seconds of the tries, and how it ends
	}{
		{"taken", []int{204}, 0, "[0s] <nil>"},
		{"the application is restarted", []int{503, 502, 429, 408, 200}, 0, "[0s 1s 3s 7s 15s] <nil>"},
		{"no answer in time", []int{0, 200}, 0, "[0s 6s] <nil>"},
		{"a redirect is no answer", []int{302, 200}, 0, "[0s 1s] <nil>"},
		{"refused for good", []int{400}, 0, "[0s] the application refused them with status 400"},
		{"down for too long", []int{500}, 100 * time.Second, "[0s 1s 3s 7s 15s 31s 1m1s 1m31s] the application answered with status 500"},
		{"not tried again", []int{500}, -1, "[0s] the application answered with status 500"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &application{statuses: tt.statuses, began: time.Now()}
				h, err := New("https://app.example/receipts", &Options{Retry: tt.retry, Client: &http.Client{Transport: a}})
				if err != nil {
					t.Fatal(err)
				}
				err = h.Post(t.Context(), []bus.Receipt{{Topic: "t", Position: bus.Position{Epoch: "e", Offset: 7}, Member: "m", User: "ann", At: a.began}})
				if got := fmt.Sprint(a.at, " ", err); strings.Join(strings.Fields(got), " ") != tt.want {
					t.Errorf("got %s, want %s", got, tt.want)
				}
				want := fmt.Sprintf(`{"receipts":[{"topic":"t","epoch":"e","offset":7,"member":"m","user":"ann","at":%d}]}`, a.began.UnixMilli())
				if a.body != want || len(a.ids) != 1 || a.header.Get("webhook-signature") != "" {
					t.Errorf("posted %s with %v, want %s", a.body, a.header, want)
				}
			})
		})
	}
	t.Run("it gives up with its context", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h, _ := New("https://app.example/", &Options{Client: &http.Client{Transport: &application{statuses: []int{500}}}})
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			if err := h.Post(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		})
	})
}

// The example of the specification of Standard Webhooks.
func TestSignature(t *testing.T) {
	h, err := New("https://app.example/", &Options{Secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"})
	if err != nil {
		t.Fatal(err)
	}
	header := http.Header{}
	h.sign(header, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if got, want := header.Get("webhook-signature"), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	plain, _ := New("https://app.example/", &Options{Secret: "hush"})
	coded, _ := New("https://app.example/", &Options{Secret: "whsec_" + base64.StdEncoding.EncodeToString([]byte("hush"))})
	if string(plain.key) != string(coded.key) {
		t.Errorf("keys %q and %q", plain.key, coded.key)
	}
}

func TestBadHooks(t *testing.T) {
	for address, secret := range map[string]string{"": "", "app.example": "", "ftp://app.example/": "", "https://": "", "https://app.example/": "whsec_?"} {
		if _, err := New(address, &Options{Secret: secret}); err == nil {
			t.Errorf("%q with %q is a hook", address, secret)
		}
	}
}
