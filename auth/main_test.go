package auth_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mochibosh/mochibosh/auth"
)

// bubble runs a test with a clock of its own.
func bubble(f func(t *testing.T)) func(*testing.T) {
	return func(t *testing.T) { synctest.Test(t, f) }
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// names takes tokens such as "ann" or "ann 90s": a user, and how long the token
// is good.
var names = auth.AuthenticatorFunc(func(_ context.Context, token string) (*auth.Principal, error) {
	user, life, limited := strings.Cut(token, " ")
	switch user {
	case "nobody":
		return &auth.Principal{}, nil
	case "forged":
		return nil, &auth.Error{Code: auth.Unauthorized, Text: "the token's signature is wrong"}
	case "old":
		return nil, &auth.Error{Code: auth.Expired, Text: "the token has expired"}
	case "banned":
		return nil, &auth.Error{Code: auth.Forbidden, Text: "connect is not allowed here"}
	case "broken":
		return nil, context.DeadlineExceeded
	}
	p := &auth.Principal{User: user, Grants: auth.Grants{{Pattern: "t", Can: []auth.Capability{auth.Subscribe, auth.Publish}}}}
	if limited {
		d, err := time.ParseDuration(life)
		if err != nil {
			return nil, err
		}
		p.Expires = time.Now().Add(d)
	}
	return p, nil
})
