package main

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mochibosh/mochibosh/auth"
	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/backends/bus/api"
)

// busMetrics are those of the event bus, and of who may do what there.
type busMetrics struct {
	published  *prometheus.CounterVec
	bytes      *prometheus.CounterVec
	delivered  prometheus.Counter
	slow       *prometheus.CounterVec
	dropped    *prometheus.CounterVec
	refusals   *prometheus.CounterVec
	signIns    *prometheus.CounterVec
	permission *prometheus.CounterVec
	webhooks   *prometheus.HistogramVec
	calls      *prometheus.CounterVec
	callTimes  *prometheus.HistogramVec
}

func (m *metrics) addBus() {
	m.bus = busMetrics{
		published:  m.counter("publications_total", "Messages published; duplicates were published before, with the same id.", "result"),
		bytes:      m.counter("publication_bytes_total", "Bytes of their data, duplicates apart."),
		delivered:  m.counter("deliveries_total", "Messages handed to subscribers' sessions.").WithLabelValues(),
		slow:       m.counter("slow_subscribers_total", "How often a subscriber's session took no more, by what its topic does then.", "policy"),
		dropped:    m.counter("dropped_messages_total", "Messages of which subscribers were told that they will not get them.", "policy"),
		refusals:   m.counter("bus_refusals_total", "Commands of clients that the event bus refused.", "op", "code"),
		signIns:    m.counter("sign_ins_total", "Clients that signed in or brought a newer token: ok, anonymous, or why they were refused.", "result"),
		permission: m.counter("permission_refusals_total", "Operations that nothing allows, by why.", "capability", "reason"),
		webhooks:   m.histogram("webhook_seconds", "How long the application took to answer, the wait for its turn included.", callSeconds, "kind", "outcome"),
		calls:      m.counter("api_calls_total", "Calls to the API for servers; a code says why one was refused.", "operation", "code"),
		callTimes:  m.histogram("api_call_seconds", "How long they took.", callSeconds, "operation"),
	}
}

// callSeconds are the buckets of what mostly takes milliseconds.
var callSeconds = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// busTrace returns what the event bus is to tell.
func (m *metrics) busTrace() *bus.Trace {
	b := &m.bus
	fresh, duplicates, bytes := b.published.WithLabelValues("new"), b.published.WithLabelValues("duplicate"), b.bytes.WithLabelValues()
	return &bus.Trace{
		Published: func(n int, duplicate bool) {
			if duplicate {
				duplicates.Inc()
				return
			}
			fresh.Inc()
			bytes.Add(float64(n))
		},
		Delivered: func(messages int) { b.delivered.Add(float64(messages)) },
		Slow:      func(p bus.Policy) { b.slow.WithLabelValues(p.String()).Inc() },
		Dropped: func(p bus.Policy, messages uint64) {
			b.dropped.WithLabelValues(p.String()).Add(float64(messages))
		},
		Refused: func(op string, code bus.Code) {
			b.refusals.WithLabelValues(op, string(code)).Inc()
			if op == "publish" && code == bus.TooFast {
				m.limited("topic-rate")
			}
		},
		Limited: func(option string) { m.limited(busLimits[option]) },
	}
}

// busLimits are the settings by which options of the bus are known.
var busLimits = map[string]string{
	"MaxMessage":            "max-message",
	"MaxInfo":               "max-member-info",
	"MaxTopics":             "max-topics",
	"MaxTopicsPerSession":   "max-topics-per-session",
	"MaxPending":            "max-pending",
	"MaxHistoryBytes":       "max-history",
	"MaxReceipts":           "max-receipts",
	"MaxReceiptsPerSession": "max-receipts-per-session",
}

// authTrace returns what the guard is to tell.
func (m *metrics) authTrace() *auth.Trace {
	return &auth.Trace{
		SignedIn: func(user string, refused auth.Code) {
			result := string(refused)
			if result == "" && user == "" {
				result = "anonymous"
			}
			m.bus.signIns.WithLabelValues(cmp.Or(result, "ok")).Inc()
		},
		Refused: func(c auth.Capability, reason auth.Code) {
			m.bus.permission.WithLabelValues(string(c), string(reason)).Inc()
		},
	}
}

// asked takes how a question to the application went.
func (m *metrics) asked(kind string, took time.Duration, err error) {
	outcome := "failed"
	var e *auth.Error
	switch {
	case err == nil:
		outcome = "ok"
	case errors.Is(err, context.Canceled):
		outcome = "canceled"
	case errors.As(err, &e) && e.Code != auth.Unavailable:
		outcome = "refused"
	}
	m.bus.webhooks.WithLabelValues(kind, outcome).Observe(took.Seconds())
}

// called takes how a call to the API went.
func (m *metrics) called(c api.Call) {
	m.bus.calls.WithLabelValues(c.Operation, string(c.Refused)).Inc()
	m.bus.callTimes.WithLabelValues(c.Operation).Observe(c.Took.Seconds())
	if c.Refused == bus.TooFast && c.Key != "" {
		m.limited("api-rate")
	}
}

// watchBus shows how the event bus is; an engine that is nil is elsewhere.
func (m *metrics) watchBus(b *bus.Bus, engine *bus.Memory) {
	m.gauges(func() []float64 {
		s := b.Stats()
		return []float64{float64(s.Topics), float64(s.Subscriptions), float64(s.Slow), float64(s.Receipts)}
	},
		named{"topics_subscribed", "Topics with subscribers here."},
		named{"subscriptions", "Subscriptions of sessions here to topics."},
		named{"subscriptions_behind", "Of these, those that fell behind and are led back."},
		named{"receipts_waiting", "Receipts that are waited for, or are to be given."})
	if engine == nil {
		return
	}
	m.gauges(func() []float64 {
		s := engine.Stats()
		return []float64{float64(s.Topics), float64(s.Members), float64(s.Messages), float64(s.HistoryBytes)}
	},
		named{"topics", "Topics, those among them that have only history."},
		named{"members", "Members present, counted in each topic."},
		named{"history_messages", "Messages in the histories of all topics."},
		named{"history_bytes", "Their bytes."})
}
