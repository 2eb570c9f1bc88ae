package sse

import (
	"testing"
)

// Whatever looks like a ticket means just one thing: written again it is the
// same, so that its hash covers all of it.
func FuzzParseTicket(f *testing.F) {
	f.Add("1.0.99.5c0f.AAAA")
	f.Add("1.0.99.a.b.c.AAAA")
	f.Add(ticket{"s", 1, 2, 3}.sign("key"))
	f.Fuzz(func(t *testing.T, s string) {
		tk, _, err := parseTicket(s)
		if err != nil {
			return
		}
		again, _, err := parseTicket(tk.sign("key"))
		if err != nil || again != tk {
			t.Errorf("%q means %+v, then %+v, %v", s, tk, again, err)
		}
	})
}
