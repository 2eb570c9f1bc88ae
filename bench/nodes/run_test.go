package main

import (
	"strings"
	"testing"
	"time"
)

// Small ones of everything: that nothing is lost, doubled or out of order, also when a
// node dies, and that the figures are there.
func TestSmall(t *testing.T) {
	s := settings{Clients: 300, Rounds: 1, Sessions: 600, Pause: 500 * time.Millisecond}
	r := &results{settings: s}
	for i, l := range layouts[:3] {
		t.Run(l.title, func(t *testing.T) {
			told, err := fanOut(t.Context(), s, l.layout)
			if err != nil || told.Rate <= 0 || told.CPU <= 0 || told.P99 <= 0 || told.Wires.Nodes.Messages <= 0 != (l.Servers == 0) {
				t.Errorf("%+v, %v", told, err)
			}
			r.told[i] = told
		})
	}
	t.Run("what NATS carries", func(t *testing.T) {
		b, err := listen(t.Context(), s, layout{Nodes: 2, Servers: 1})
		if err != nil || b.Beats.Nodes.Messages <= 0 || b.Session.Nodes.Messages <= 0 || b.Poll.Nodes.Messages <= 0 || b.Message.Nodes.Messages <= 0 {
			t.Errorf("%+v, %v", b, err)
		}
		r.bill = b
	})
	t.Run("a country", func(t *testing.T) {
		c, err := live(t.Context(), s, layout{Nodes: 3, Servers: 1})
		if err != nil || c.Death.Sessions != 200 || c.After.Clients != 100 {
			t.Errorf("%+v, %v", c, err)
		}
		r.country = c
	})
	text := r.markdown()
	for _, want := range []string{"| three nodes, one server of NATS |", "| a node dies | 200 sessions", "### 600 sessions at 3 nodes"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
