package nodes_test

import (
	"context"
	"slices"
	"strings"
	"testing"
)

func TestSurvey(t *testing.T) {
	w := newWorld(t, true)
	a := w.join("a")
	ask := func() (string, error) {
		answers, err := a.Survey(t.Context(), []byte("this"))
		all := make([]string, len(answers))
		for i, answer := range answers {
			all[i] = string(answer)
		}
		slices.Sort(all)
		return strings.Join(all, ", "), err
	}
	eventually(t, "it is among the others", a.Connected)
	if got, err := ask(); err != nil || got != "" {
		t.Errorf("alone: %q, %v", got, err)
	}
	b, c := w.join("b"), w.join("c")
	eventually(t, "they know each other", func() bool { return len(a.Peers()) == 2 })
	const both = "b on this, c on this"
	if got, err := ask(); err != nil || got != both {
		t.Errorf("got %q, %v", got, err)
	}
	c.die()
	if got, err := ask(); err != nil || got != "b on this" {
		t.Errorf("one has just died: %q, %v", got, err)
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	b.cut()
	if _, err := a.Survey(done, nil); err == nil {
		t.Error("nobody has answered, and that is no error")
	}
	a.cut()
	eventually(t, "it knows that it is alone", func() bool { return !a.Connected() })
	if got, err := ask(); err == nil {
		t.Errorf("cut off: %q", got)
	}
}
