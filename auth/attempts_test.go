package auth_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/auth"
)

// counted lets so many sign-ins fail.
type counted struct{ left int }

func (c *counted) Wait(context.Context) time.Duration {
	if c.left > 0 {
		return 0
	}
	return 90*time.Second - 1
}
func (c *counted) Failed(context.Context) { c.left-- }

func TestSignInsThatFailAreCounted(t *testing.T) {
	const tooMany = "too many sign-ins have failed, try again later"
	bubble(func(t *testing.T) {
		c := &counted{2}
		server, _ := serve(t, &auth.Options{Attempts: c})
		s := signIn(t, server, "ann")
		for _, token := range []string{"old", "banned", "broken", "bob", "forged"} {
			server.Post("/push", fmt.Sprintf(`{"token":%q}`, token))
		}
		if c.left != 1 {
			t.Errorf("%d are left after one", c.left)
		}
		got := say(s, 1, 1, 0, `{"op":"refresh","token":"forged","ref":1},{"op":"refresh","token":"ann","ref":2}`)
		want := []string{`{"type":"error","ref":1,"code":"unauthorized","message":"the token's signature is wrong"}`, `{"type":"error","ref":2,"code":"too-fast","message":"` + tooMany + `"}`}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("got %q", got)
		}
		resp, o := server.Do(server.Request("POST", "/push", `{"token":"ann"}`))
		if resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "90" || o.Error.Code != "too-many" || o.Error.Message != tooMany {
			t.Errorf("got %d %+v", resp.StatusCode, o.Error)
		}
		if status, o := server.Post("/push", `{}`); status != 401 || o.Error.Code != "unauthorized" {
			t.Errorf("without a token: %d %+v", status, o.Error)
		}
		ws := server.WebSocket()
		ws.Send(`{"token":"ann"}`)
		if o, err := ws.Next(); err != nil || o.Error == nil || o.Error.Code != "too-many" {
			t.Errorf("over WebSocket: %+v, %v", o, err)
		}
	})(t)
}
