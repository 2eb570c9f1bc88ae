package auth_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/mochibosh/mochibosh/auth"
	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/transport/longpoll"
	"github.com/mochibosh/mochibosh/transport/push"
)

// An application that knows its users' tokens lets them chat, and everybody
// read the news.
func Example() {
	users := map[string]string{"7f3a": "ann"}
	whose := func(_ context.Context, token string) (*auth.Principal, error) {
		user, ok := users[token]
		if !ok {
			return nil, &auth.Error{Code: auth.Unauthorized, Text: "sign in again"}
		}
		return &auth.Principal{User: user}, nil
	}
	var rules []auth.Rule
	for _, spec := range []string{"users subscribe publish history on chat/*", "anybody subscribe on news"} {
		r, err := auth.ParseRules(spec)
		if err != nil {
			log.Fatal(err)
		}
		rules = append(rules, r...)
	}
	guard := auth.NewGuard(&auth.Options{Authenticator: auth.AuthenticatorFunc(whose), Rules: rules})
	manager := transport.NewManager(&transport.Options{Backend: bus.New(&bus.Options{Guard: guard})})
	handler := longpoll.NewHandler(manager, &push.Options{Guard: guard})

	for _, object := range []string{`{"token":"7f3a"}`, `{}`, `{"token":"x"}`} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/push", strings.NewReader(object)))
		fmt.Println(w.Code, strings.Contains(w.Body.String(), `"user":"ann"`))
	}
	if err := manager.Shutdown(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 201 true
	// 201 false
	// 401 false
}
