package webtoken_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/auth"
	"github.com/mochibosh/mochibosh/auth/webtoken"
	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/transport/longpoll"
	"github.com/mochibosh/mochibosh/transport/push"
)

const secret = "a secret of thirty-two bytes ..!"

func verifier(t testing.TB) (*webtoken.Verifier, *webtoken.Signer) {
	t.Helper()
	keys, err := webtoken.ParseKeys([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	s, err := webtoken.ParseSigner([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return webtoken.NewVerifier(&webtoken.Options{Keys: keys}), s
}

// Signing in, as far as it is ours: a token with a few grants is verified, a
// session made and bound, and its creation answered. The requests come without
// a network.
func BenchmarkSignIn(b *testing.B) {
	v, s := verifier(b)
	token, err := s.Sign(&auth.Principal{User: "ann", Expires: time.Now().Add(time.Hour), Grants: auth.Grants{
		{Pattern: "chat/*", Can: []auth.Capability{auth.Subscribe, auth.Publish}}, {Pattern: "news", Can: []auth.Capability{auth.Subscribe}},
	}})
	if err != nil {
		b.Fatal(err)
	}
	g := auth.NewGuard(&auth.Options{Authenticator: v})
	m := transport.NewManager(&transport.Options{Backend: bus.New(&bus.Options{Guard: g}), MaxSessions: 1 << 30})
	defer m.Shutdown(context.Background())
	h := longpoll.NewHandler(m, &push.Options{Guard: g})
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", "/push", strings.NewReader(`{"token":"`+token+`"}`)))
		if w.Code != http.StatusCreated {
			b.Fatal(w.Code, w.Body)
		}
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	v, s := verifier(b)
	token, err := s.Sign(&auth.Principal{User: "ann", Expires: time.Now().Add(time.Hour)})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Authenticate(context.Background(), token); err != nil {
			b.Fatal(err)
		}
	}
}

func Example() {
	keys, _ := webtoken.ParseKeys([]byte(secret))
	guard := auth.NewGuard(&auth.Options{
		Authenticator: webtoken.NewVerifier(&webtoken.Options{Keys: keys, Audience: "chat.example"}),
	})
	events := bus.New(&bus.Options{Guard: guard})
	manager := transport.NewManager(&transport.Options{Backend: events})
	http.Handle("/push", longpoll.NewHandler(manager, &push.Options{Guard: guard}))
}
