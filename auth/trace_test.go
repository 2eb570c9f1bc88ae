package auth_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/mochibosh/mochibosh/auth"
)

func TestTrace(t *testing.T) {
	var told []string
	g := auth.NewGuard(&auth.Options{
		Authenticator: names,
		Trace: &auth.Trace{
			SignedIn: func(user string, refused auth.Code) { told = append(told, fmt.Sprintf("%q %s", user, refused)) },
			Refused:  func(c auth.Capability, reason auth.Code) { told = append(told, fmt.Sprintf("%s %s", c, reason)) },
		},
	})
	for _, token := range []string{"ann", "", "forged", "old", "banned", "broken"} {
		g.SignIn(t.Context(), token)
	}
	ctx := auth.NewContext(context.Background(), &auth.Principal{User: "ann"})
	g.Authorize(ctx, auth.Subscribe, auth.UserTopics+"ann")
	g.Authorize(ctx, auth.Publish, "t")
	want := []string{`"ann" `, `"" unauthorized`, `"" unauthorized`, `"" expired`, `"" forbidden`, `"" unavailable`, "publish forbidden"}
	if !slices.Equal(told, want) {
		t.Errorf("told %q", told)
	}
}
