package bosh

import (
	"reflect"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/transport"
)

// What a gate remembers is the same in the next process, whose settings count.
func TestSavedGate(t *testing.T) {
	g := &gate{polling: time.Second, repeats: 3, requests: 2}
	g.keys.start("ABCDEF")
	g.streams.add("first", "a.example")
	g.streams.add("second", "b.example")
	g.streams.close("second")
	l := loader{&Options{Polling: 5 * time.Second, Repeats: 7}}
	loaded, err := l.LoadGate(transport.Params{Requests: 2, Wait: time.Minute, Hold: 1}, g.AppendGate(nil))
	if err != nil {
		t.Fatal(err)
	}
	got := loaded.(*gate)
	if got.polling != 5*time.Second || got.repeats != 7 || got.requests != 2 {
		t.Errorf("settings: %+v", got)
	}
	if got.keys != g.keys || !got.streams.areSeveral() || !got.streams.has("second") || got.streams.toOne("b.example") || !got.streams.toOne("a.example") {
		t.Errorf("memory: %+v", got)
	}
	if again := got.AppendGate(nil); string(again) != string(g.AppendGate(nil)) {
		t.Errorf("saved again: %s", again)
	}
}

func TestSavedNotes(t *testing.T) {
	for name, req := range map[string]*request{
		"an empty request": {},
		"a request":        {key: "k", newKey: "n", stream: "s", restart: true},
		"the end":          {terminate: true},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNote(req)
			g := new(gate)
			loaded, err := loader{new(Options)}.LoadNote(g.AppendNote(nil, n))
			if err != nil {
				t.Fatal(err)
			}
			if a, b := g.AppendNote(nil, loaded), g.AppendNote(nil, n); !reflect.DeepEqual(a, b) {
				t.Errorf("got %s, want %s", a, b)
			}
		})
	}
	if _, err := (loader{new(Options)}).LoadNote([]byte("{")); err == nil {
		t.Error("what is broken is taken")
	}
}
