package bosh_test

import (
	"strings"
	"testing"
)

func TestLogs(t *testing.T) {
	t.Run("one line per violation, without sids and payloads", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("")
		before := strings.Count(w.logs.String(), "\n")
		c.post(c.at(1, "", "<secret>")) // malformed
		c.post(c.at(9, "", "<secret xmlns='urn:s'/>"))
		got := w.logs.String()
		if n := strings.Count(got, "\n") - before; n != 3 { // one is the end of the session
			t.Errorf("%d lines", n)
		}
		if strings.Contains(got, c.sid) || strings.Contains(got, "secret") {
			t.Errorf("logs tell too much: %s", got)
		}
	}))
}
