package bosh

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/mochibosh/mochibosh/transport"
)

// This file keeps what a gate remembers outside of the process, as JSON: a new
// field is one that older snapshots leave out.

type savedGate struct {
	Keys    string        `json:"keys,omitempty"`
	Last    *savedNote    `json:"last,omitempty"`
	Several bool          `json:"several,omitempty"`
	Streams []savedStream `json:"streams,omitempty"`
}

type savedStream struct {
	Name   string `json:"name"`
	Target string `json:"target"`
	Closed bool   `json:"closed,omitempty"`
}

type savedNote struct {
	Key       string    `json:"key,omitempty"`
	NewKey    string    `json:"newkey,omitempty"`
	Stream    string    `json:"stream,omitempty"`
	Added     string    `json:"added,omitempty"` // the name of the stream that it adds
	To        string    `json:"to,omitempty"`    // and its target
	Restart   bool      `json:"restart,omitempty"`
	Terminate bool      `json:"terminate,omitempty"`
	Empty     bool      `json:"empty,omitempty"`
	Arrived   time.Time `json:"arrived"`
}

// AppendGate implements transport.SavedGate.
func (g *gate) AppendGate(dst []byte) []byte {
	g.streams.mu.Lock()
	defer g.streams.mu.Unlock()
	saved := savedGate{Keys: g.keys.before, Several: g.streams.several}
	if g.last != nil {
		saved.Last = g.last.saved()
	}
	for _, st := range g.streams.known {
		saved.Streams = append(saved.Streams, savedStream{st.name, st.target, st.closed})
	}
	return appendJSON(dst, &saved)
}

// AppendNote implements transport.SavedGate.
func (g *gate) AppendNote(dst []byte, n any) []byte { return appendJSON(dst, n.(*note).saved()) }

func appendJSON(dst []byte, v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and numbers: it cannot be
	}
	return append(dst, b...)
}

func (n *note) saved() *savedNote {
	sp := n.with()
	s := &savedNote{
		Key: sp.key, NewKey: sp.newKey, Stream: sp.stream,
		Restart: n.restart, Terminate: n.terminate, Empty: n.empty, Arrived: began.Add(n.arrived),
	}
	if sp.added != nil {
		s.Added, s.To = sp.added.Name, sp.added.Target
	}
	return s
}

func (s *savedNote) note() *note {
	n := &note{restart: s.Restart, terminate: s.Terminate, empty: s.Empty, arrived: s.Arrived.Sub(began)}
	if s.Key != "" || s.NewKey != "" || s.Stream != "" {
		n.special = &special{key: s.Key, newKey: s.NewKey, stream: s.Stream}
	}
	if s.Added != "" {
		n.adds(&transport.Opening{Name: s.Added, Target: s.To})
	}
	return n
}

// A loader makes gates of what was saved. It is a transport.GateLoader.
type loader struct{ opts *Options }

// LoadGate implements transport.GateLoader. What is allowed is as it is set now.
func (l loader) LoadGate(p transport.Params, data []byte) (transport.Gate, error) {
	var saved savedGate
	if err := json.Unmarshal(data, &saved); err != nil {
		return nil, errors.New("what a BOSH session remembers cannot be read")
	}
	g := &gate{polling: l.opts.Polling, repeats: l.opts.Repeats, polls: polls(p), requests: p.Requests}
	g.keys.before = saved.Keys
	if saved.Last != nil {
		g.last = saved.Last.note()
	}
	g.streams.several = saved.Several
	for _, st := range saved.Streams {
		g.streams.known = append(g.streams.known, namedStream{st.Name, st.Target, st.Closed})
	}
	return g, nil
}

// LoadNote implements transport.GateLoader.
func (l loader) LoadNote(data []byte) (any, error) {
	var saved savedNote
	if err := json.Unmarshal(data, &saved); err != nil {
		return nil, errors.New("what a BOSH request was judged by cannot be read")
	}
	return saved.note(), nil
}
