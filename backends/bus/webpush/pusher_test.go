package webpush

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mochibosh/mochibosh/auth"
	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/internal/pushtest"
	"github.com/mochibosh/mochibosh/transport/push"
)

// A stage is a bus with its users, a pusher, and a push service without a network.
type stage struct {
	*service
	t      *testing.T
	pusher *Pusher
	guard  *auth.Guard
	server *pushtest.Server
	events []string // what the trace was told
}

const endpoint = "https://fcm.googleapis.com/send/ann"

// play makes a stage, with Ann's browser registered for her and for the topic t.
func play(t *testing.T, o Options, statuses ...int) *stage {
	t.Helper()
	if len(statuses) == 0 {
		statuses = []int{http.StatusCreated}
	}
	s := &stage{t: t, service: &service{t: t, browser: newBrowser(t), origin: "https://fcm.googleapis.com", statuses: statuses}}
	var err error
	if s.keys, err = NewKeys(); err != nil {
		t.Fatal(err)
	}
	everybody := auth.AuthenticatorFunc(func(_ context.Context, token string) (*auth.Principal, error) {
		return &auth.Principal{User: token}, nil
	})
	rules, err := auth.ParseRules("users subscribe history on t")
	if err != nil {
		t.Fatal(err)
	}
	s.guard = auth.NewGuard(&auth.Options{Authenticator: everybody, Rules: rules})
	b := bus.New(&bus.Options{Guard: s.guard, Topics: []bus.TopicRule{TopicRule()}})
	s.server = pushtest.Start(t, pushtest.Options{Backend: b, Push: push.Options{Guard: s.guard, Inactivity: time.Hour}})
	o.Keys, o.Subject = s.keys, subject
	told := func(event string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.events = append(s.events, event)
	}
	o.Trace = Trace{
		Sent:    func() { told("sent") },
		Failed:  func(reason string) { told("failed: " + reason) },
		Expired: func() { told("expired") },
	}
	if s.pusher, err = New(b, o); err != nil {
		t.Fatal(err)
	}
	s.pusher.client.Transport = s.service
	if err := s.pusher.Register(t.Context(), "ann", s.browser.subscription(endpoint, "t")); err != nil {
		t.Fatal(err)
	}
	return s
}

// publish publishes with a notification.
func (s *stage) publish(topic, message string) error {
	s.t.Helper()
	m, err := ParseMessage([]byte(message))
	if err != nil {
		return err
	}
	_, err = s.pusher.Publish(s.t.Context(), topic, json.RawMessage(`1`), nil, m)
	synctest.Wait()
	return err
}

// connect makes a session of a user, subscribed to topics.
func (s *stage) connect(user string, topics ...string) pushtest.Session {
	s.t.Helper()
	_, o := s.server.Post("/push", fmt.Sprintf(`{"token":%q}`, user))
	session := s.server.Session(o)
	for i, topic := range topics {
		session.Post(fmt.Sprintf(`"first":%d,"messages":[{"op":"subscribe","topic":%q}]`, i+1, topic))
	}
	synctest.Wait()
	return session
}

// check compares what Ann's browser got, and what became of notifications.
func (s *stage) check(got, events string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if g, e := strings.Join(s.got, " "), strings.Join(s.events, ", "); g != got || e != events {
		s.t.Errorf("got %s and %q, want %s and %q", g, e, got, events)
	}
}

func TestWhoIsNotThereIsNotified(t *testing.T) {
	for _, tt := range []struct {
		name, topic, message string
		session              bool   // Ann has one, subscribed to both topics
		acknowledges         string // after how long her client does
		got                  string
	}{
		{"no session", "$user/ann", `{"title":"Hi"}`, false, "", `{"title":"Hi"}`},
		{"all that there is", "$user/ann", `{"title":"T","body":"B","url":"/u","icon":"/i","tag":"g","data":[1],"ttl":0,"urgency":"high","topic":"x"}`, false, "", `{"title":"T","body":"B","url":"/u","icon":"/i","tag":"g","data":[1]}`},
		{"a topic that she registered for", "t", `{"title":"Hi"}`, false, "", `{"title":"Hi"}`},
		{"another topic", "u", `{"title":"Hi"}`, false, "", ""},
		{"somebody else", "$user/ben", `{"title":"Hi"}`, false, "", ""},
		{"a session", "$user/ann", `{"title":"Hi"}`, true, "", ""},
		{"a session, and it does not acknowledge", "$user/ann", `{"title":"Hi","after":5}`, true, "", `{"title":"Hi"}`},
		{"it does in time", "$user/ann", `{"title":"Hi","after":5}`, true, "4s", ""},
		{"it does too late", "$user/ann", `{"title":"Hi","after":5}`, true, "6s", `{"title":"Hi"}`},
		{"it does in a topic", "t", `{"title":"Hi","after":5}`, true, "4s", ""},
		{"no session to wait for", "t", `{"title":"Hi","after":0.5}`, false, "", `{"title":"Hi"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := play(t, Options{})
				var session pushtest.Session
				if tt.session {
					session = s.connect("ann", "$user/ann", "t")
				}
				if err := s.publish(tt.topic, tt.message); err != nil {
					t.Fatal(err)
				}
				if tt.acknowledges != "" {
					d, err := time.ParseDuration(tt.acknowledges)
					if err != nil {
						t.Fatal(err)
					}
					session.Post(`"attach":1,"wait":0`)
					time.Sleep(d)
					session.Post(`"attach":2,"ack":3,"wait":0`)
				}
				time.Sleep(10 * time.Second)
				synctest.Wait()
				events := ""
				if tt.got != "" {
					events = "sent"
				}
				s.check(tt.got, events)
				if n := s.pusher.Waiting(); n != 0 {
					t.Errorf("%d wait", n)
				}
			})
		})
	}
}

// A message that is published again, by its id, sends nothing again.
func TestARepeatSendsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, Options{})
		for range 2 {
			if _, err := s.pusher.Publish(t.Context(), "$user/ann", json.RawMessage(`1`), &bus.PublishOptions{ID: "7"}, &Message{Title: "Hi"}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		s.check(`{"title":"Hi"}`, "sent")
	})
}

func TestHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, Options{})
		for _, m := range []string{`{"title":"a"}`, `{"title":"b","ttl":60,"urgency":"low","topic":"x-1"}`} {
			if err := s.publish("$user/ann", m); err != nil {
				t.Fatal(err)
			}
		}
		for i, want := range []string{"86400  ", "60 low x-1"} {
			h := s.asked[i]
			if got := h.Get("TTL") + " " + h.Get("Urgency") + " " + h.Get("Topic"); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	})
}

func TestWhatPushServicesAnswer(t *testing.T) {
	for _, tt := range []struct {
		name       string
		statuses   []int
		retryAfter string
		message    string
		events     string
		at         string // the seconds of the attempts
		kept       int    // subscriptions
	}{
		{"taken", []int{201}, "", `{"title":"Hi"}`, "sent", "[0s]", 1},
		{"gone", []int{410}, "", `{"title":"Hi"}`, "expired", "[0s]", 0},
		{"not found", []int{404}, "", `{"title":"Hi"}`, "expired", "[0s]", 0},
		{"refused", []int{403}, "", `{"title":"Hi"}`, "failed: refused", "[0s]", 1},
		{"a redirect", []int{307}, "", `{"title":"Hi"}`, "failed: refused", "[0s]", 1},
		{"down for a moment", []int{500, 503, 201}, "", `{"title":"Hi"}`, "sent", "[0s 1s 3s]", 1},
		{"in a hurry", []int{429, 201}, "120", `{"title":"Hi"}`, "sent", "[0s 2m0s]", 1},
		{"with a date", []int{429, 201}, "Sat, 01 Jan 2000 00:01:30 GMT", `{"title":"Hi"}`, "sent", "[0s 1m30s]", 1},
		{"in too much of a hurry", []int{429, 201}, "3600", `{"title":"Hi"}`, "failed: unreachable", "[0s]", 1},
		{"down", []int{503}, "", `{"title":"Hi"}`, "failed: unreachable", "[0s 1s 3s 7s 15s]", 1},
		{"down, and soon of no interest", []int{503}, "", `{"title":"Hi","ttl":5}`, "failed: unreachable", "[0s 1s 3s]", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := play(t, Options{}, tt.statuses...)
				if tt.retryAfter != "" {
					s.header = http.Header{"Retry-After": {tt.retryAfter}}
				}
				began := time.Now()
				if err := s.publish("$user/ann", tt.message); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Hour)
				synctest.Wait()
				var at []time.Duration
				for _, x := range s.at {
					at = append(at, x.Sub(began))
				}
				all, err := s.pusher.opts.Store.Of(t.Context(), "ann")
				if got := fmt.Sprint(at); got != tt.at || len(all) != tt.kept || err != nil || strings.Join(s.events, ", ") != tt.events {
					t.Errorf("at %s, then %v, %d kept, %v", got, s.events, len(all), err)
				}
			})
		})
	}
}

func TestLimits(t *testing.T) {
	for _, tt := range []struct {
		name, message, want string
		options             Options
	}{
		{"payload", `{"title":"1234567890"}`, "push: 22 bytes are more than the 21 for which there is room", Options{MaxPayload: 21}},
		{"after", `{"title":"1","after":2}`, "push: after is not from 0 to 1 seconds", Options{MaxAfter: time.Second}},
		{"after below zero", `{"title":"1","after":-1}`, "push: after is not from 0 to 300 seconds", Options{}},
		{"nothing to show", `{"tag":"x"}`, "push: neither title, body nor data is there", Options{}},
		{"ttl", `{"title":"1","ttl":-1}`, "push: ttl is not from 0 to 2419200", Options{}},
		{"urgency", `{"title":"1","urgency":"Very"}`, "push: urgency is none of very-low, low, normal and high", Options{}},
		{"topic", `{"title":"1","topic":"a b"}`, "push: topic is not up to 32 letters, digits, - and _", Options{}},
		{"a member that is none", `{"titel":"1"}`, `push: json: unknown field "titel"`, Options{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := play(t, tt.options)
				if err := s.publish("$user/ann", tt.message); err == nil || !strings.HasSuffix(err.Error(), tt.want) {
					t.Errorf("got %v, want %s", err, tt.want)
				}
				s.check("", "")
			})
		})
	}
}

// What waits is bounded; the message is published all the same.
func TestTooManyWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, Options{MaxWaiting: 1})
		for range 2 {
			if err := s.publish("$user/ann", `{"title":"Hi","after":5}`); err != nil {
				t.Fatal(err)
			}
		}
		if n := s.pusher.Waiting(); n != 1 {
			t.Errorf("%d wait", n)
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		s.check(`{"title":"Hi"}`, "failed: full, sent")
	})
}

// When the server goes, what waits for acknowledgements is sent, and what the push
// service did not take is not sent again.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, Options{}, 503, 201)
		for _, m := range []string{`{"title":"1"}`, `{"title":"2","after":60}`} {
			if err := s.publish("$user/ann", m); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.pusher.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		slices.Sort(s.events)
		s.check(`{"title":"2"}`, "failed: shutdown, sent")
		if err := s.publish("$user/ann", `{"title":"3"}`); err != nil || s.events[len(s.events)-1] != "failed: shutdown" {
			t.Errorf("%v, %v", err, s.events)
		}
	})
}

func TestSubscriptionsThatAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, Options{MaxTopics: 2})
		good := s.browser.subscription(endpoint)
		for want, change := range map[string]func(*Subscription){
			"endpoint is no https URL":                        func(x *Subscription) { x.Endpoint = "http://fcm.googleapis.com/x" },
			"endpoint is longer than 2048 bytes":              func(x *Subscription) { x.Endpoint += strings.Repeat("x", maxEndpoint) },
			"endpoint is of no push service that is allowed":  func(x *Subscription) { x.Endpoint = "https://127.0.0.1/x" },
			"keys.p256dh is not base64":                       func(x *Subscription) { x.Keys.P256DH = "?" },
			"keys.p256dh is no public key of the curve P-256": func(x *Subscription) { x.Keys.P256DH = "AAAA" },
			"keys.auth is not 16 bytes in base64":             func(x *Subscription) { x.Keys.Auth = "AAAA" },
			"more than 2 topics":                              func(x *Subscription) { x.Topics = []string{"a", "b", "c"} },
		} {
			bad := good
			change(&bad)
			if err := s.pusher.Register(t.Context(), "ann", bad); err == nil || !strings.HasSuffix(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
		}
		if err := s.pusher.Register(t.Context(), "", good); err == nil {
			t.Error("nobody has a subscription")
		}
	})
}

func rootsOf(s *httptest.Server) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return pool
}

// Over a real connection, with TLS, to a network that is allowed by name.
func TestOverTheNetwork(t *testing.T) {
	keys, err := NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	s := &service{t: t, browser: newBrowser(t), keys: keys, statuses: []int{201}}
	server := httptest.NewTLSServer(s)
	defer server.Close()
	s.origin = server.URL
	p, err := New(bus.New(nil), Options{
		Keys: keys, Subject: subject, RootCAs: rootsOf(server),
		Hosts: []string{"127.0.0.1"}, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
		Present: func(context.Context, string) (bool, error) { return false, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Register(t.Context(), "ann", s.browser.subscription(server.URL+"/ann")); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Publish(t.Context(), "$user/ann", json.RawMessage(`1`), nil, &Message{Title: "Hi"}); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(t.Context()); err != nil || len(s.got) != 1 || s.got[0] != `{"title":"Hi"}` {
		t.Errorf("got %q, %v", s.got, err)
	}
}

// A held service takes requests, and answers none until it is let go.
type held struct {
	arrived, release chan struct{}
}

func (h *held) RoundTrip(r *http.Request) (*http.Response, error) {
	h.arrived <- struct{}{}
	select {
	case <-h.release:
		return httptest.NewRecorder().Result(), nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

func TestRequestsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, Options{Concurrent: 2})
		h := &held{make(chan struct{}, 9), make(chan struct{})}
		s.pusher.client.Transport = h
		for range 3 {
			if err := s.publish("$user/ann", `{"title":"Hi"}`); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(h.arrived); n != 2 {
			t.Errorf("%d at once", n)
		}
		close(h.release)
		synctest.Wait()
		s.check("", "sent, sent, sent")
	})
}

func TestSlowPushServices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := play(t, Options{Timeout: 10 * time.Second, MaxAttempts: 2})
		h := &held{make(chan struct{}, 9), nil}
		s.pusher.client.Transport = h
		if err := s.publish("$user/ann", `{"title":"Hi"}`); err != nil {
			t.Fatal(err)
		}
		time.Sleep(21*time.Second + 1)
		synctest.Wait()
		s.check("", "failed: unreachable")
		if n := len(h.arrived); n != 2 {
			t.Errorf("tried %d times", n)
		}
	})
}
