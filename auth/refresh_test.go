package auth_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mochibosh/mochibosh/auth"
	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/internal/pushtest"
	"github.com/mochibosh/mochibosh/transport/push"
)

// A token that grants less than the one before ends what was begun by that.
func TestATokenThatGrantsLess(t *testing.T) {
	grants := map[string]auth.Grants{
		"all":      must(auth.ParseGrants("subscribe publish presence on t u", auth.Subscribe, auth.Publish, auth.Presence)),
		"unseen":   must(auth.ParseGrants("subscribe publish on t u", auth.Subscribe, auth.Publish)),
		"less":     must(auth.ParseGrants("subscribe publish on u", auth.Subscribe, auth.Publish)),
		"writing":  must(auth.ParseGrants("publish on t u", auth.Publish)),
		"in doubt": nil,
	}
	opts := func() *auth.Options {
		doubt := false
		return &auth.Options{
			Authenticator: auth.AuthenticatorFunc(func(_ context.Context, token string) (*auth.Principal, error) {
				doubt = token == "in doubt"
				return &auth.Principal{User: "ann", Grants: grants[token]}, nil
			}),
			Decide: func(_ context.Context, _ *auth.Principal, c auth.Capability, _ string) error {
				if doubt {
					return &auth.Error{Code: auth.Unavailable, Text: "not now"}
				}
				return &auth.Error{Code: auth.Forbidden, Text: string(c) + " is not allowed here"}
			},
		}
	}
	const ended = `{"type":"unsubscribed","topic":"%s","code":"forbidden","message":"subscribe is not allowed here any more"}`
	const hidden = `{"type":"hidden","topic":"%s","code":"forbidden","message":"presence is not allowed here any more"}`
	for _, tt := range []struct {
		token   string
		want    []string // besides refreshed
		members int      // in t
		gets    string   // topics of which it still gets the messages
	}{
		{"all", nil, 1, "tu"},
		{"unseen", []string{fmt.Sprintf(hidden, "t")}, 0, "tu"},
		{"less", []string{fmt.Sprintf(ended, "t")}, 0, "u"},
		{"writing", []string{fmt.Sprintf(ended, "t"), fmt.Sprintf(ended, "u")}, 0, ""},
		{"in doubt", nil, 1, "tu"},
	} {
		for _, way := range []string{"as a message", "beside the key"} {
			t.Run(tt.token+", "+way, bubble(func(t *testing.T) {
				g := auth.NewGuard(opts())
				b := bus.New(&bus.Options{Guard: g})
				server := pushtest.Start(t, pushtest.Options{Backend: b, Push: push.Options{Guard: g, Inactivity: time.Hour}})
				s := signIn(t, server, "all")
				say(s, 1, 1, 0, `{"op":"subscribe","topic":"t","presence":1},{"op":"subscribe","topic":"u"}`)
				want := tt.want
				if way == "as a message" {
					want = append([]string{`{"type":"refreshed"}`}, want...)
					s.Post(fmt.Sprintf(`"first":3,"messages":[{"op":"refresh","token":%q}]`, tt.token))
				} else {
					s.Post(fmt.Sprintf(`"token":%q`, tt.token))
				}
				synctest.Wait()
				got := s.Post(`"attach":2,"ack":2,"wait":0`).Strings()
				if strings.Join(got, "\n") != strings.Join(want, "\n") {
					t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
				if _, n, _ := b.Presence(t.Context(), "t"); n != tt.members {
					t.Errorf("%d members", n)
				}
				for _, topic := range []string{"t", "u"} {
					if _, err := b.Publish(t.Context(), topic, []byte("1"), nil); err != nil {
						t.Fatal(err)
					}
				}
				synctest.Wait()
				gets := ""
				for _, m := range s.Post(fmt.Sprintf(`"attach":3,"ack":%d,"wait":0`, 2+len(got))).Strings() {
					gets += strings.TrimPrefix(m, `{"type":"message","topic":"`)[:1]
				}
				if gets != tt.gets {
					t.Errorf("it still gets %q, want %q", gets, tt.gets)
				}
			}))
		}
	}
}

// Receipts say whose they are where names are told, and to the server.
func TestReceiptsSayWhose(t *testing.T) {
	bubble(func(t *testing.T) {
		g := auth.NewGuard(&auth.Options{Authenticator: names})
		b := bus.New(&bus.Options{Guard: g, Topics: []bus.TopicRule{{Pattern: "told", ShowUsers: true}}})
		server := pushtest.Start(t, pushtest.Options{Backend: b, Push: push.Options{Guard: g}})
		s := signIn(t, server, "ann")
		say(s, 1, 1, 0, `{"op":"subscribe","topic":"t"}`)
		for _, to := range []string{"told", "untold", bus.ServerReceipts} {
			if _, err := b.Publish(t.Context(), "t", []byte("1"), &bus.PublishOptions{Receipts: to}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		s.Post(`"attach":2,"ack":4`)
		synctest.Wait()
		for to, told := range map[string]bool{"told": true, "untold": false, bus.ServerReceipts: true} {
			r, err := b.History(t.Context(), to, bus.Query{Last: 1})
			if err != nil || len(r.Messages) != 1 || strings.Contains(string(r.Messages[0].Data), `"user":"ann"`) != told {
				t.Errorf("%s: %+v, %v", to, r, err)
			}
		}
		got := say(s, 2, 3, 4, `{"op":"publish","topic":"t","data":1,"receipts":"t"},{"op":"publish","topic":"t","data":1,"receipts":"$receipts"}`)
		for _, m := range got { // the token grants to publish in t, and not to see who is there
			if !strings.Contains(m, `"forbidden","message":"receipts: presence is not allowed here"`) {
				t.Errorf("got %s", m)
			}
		}
	})(t)
}
