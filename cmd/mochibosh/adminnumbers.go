package main

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/mochibosh/mochibosh/backends/bus"
)

const (
	// topicNumbers is where the numbers are.
	topicNumbers = adminName + "numbers"
	// numbersEvery is how often, as long as a page of this server reads them.
	numbersEvery = time.Second
)

// numbers are the metrics of one moment, by their names and what their labels say:
//
//	{"node":"a","at":1800000000.5,"values":{"sessions":{"bosh":7,"push.v1":12},"topics":{"":3}}}
//
// Names are without mochibosh_; those of a histogram are left out.
type numbers struct {
	Node   string                        `json:"node,omitempty"`
	At     float64                       `json:"at"` // Unix seconds
	Values map[string]map[string]float64 `json:"values"`
}

// run publishes numbers until the context is done.
func (a *admin) run(ctx context.Context) {
	if a == nil {
		return
	}
	every := time.NewTicker(numbersEvery)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		if a.gateway.backend.bus.Subscribers(topicNumbers) > 0 {
			a.tell(ctx)
		}
	}
}

func (a *admin) tell(ctx context.Context) {
	n, err := a.numbers(time.Now())
	var data []byte
	if err == nil {
		data, err = json.Marshal(n)
	}
	if err == nil {
		_, err = a.gateway.backend.bus.Publish(ctx, topicNumbers, data, &bus.PublishOptions{NoWait: true})
	}
	if err != nil && ctx.Err() == nil {
		a.logger.Warn("no numbers for the admin page", "error", err)
	}
}

func (a *admin) numbers(now time.Time) (numbers, error) {
	n := numbers{a.gateway.settings.Node, float64(now.UnixMilli()) / 1000, make(map[string]map[string]float64)}
	families, err := a.gateway.metrics.registry.Gather()
	if err != nil {
		return n, err
	}
	for _, f := range families {
		name, ours := strings.CutPrefix(f.GetName(), "mochibosh_")
		if !ours {
			if name != "process_resident_memory_bytes" && name != "process_cpu_seconds_total" {
				continue
			}
		}
		for _, m := range f.GetMetric() {
			if m.GetHistogram() != nil {
				continue
			}
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			if n.Values[name] == nil {
				n.Values[name] = make(map[string]float64)
			}
			n.Values[name][strings.Join(labels, " ")] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return n, nil
}
