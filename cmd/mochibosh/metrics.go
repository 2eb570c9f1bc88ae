package main

import (
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/mochibosh/mochibosh/backends/bus/webpush"
	"github.com/mochibosh/mochibosh/backends/xmpp"
	"github.com/mochibosh/mochibosh/nodes"
	"github.com/mochibosh/mochibosh/transport"
)

// metrics are what Prometheus gets. No label has a value of a client's making.
type metrics struct {
	registry *prometheus.Registry

	sessions  *prometheus.GaugeVec
	started   *prometheus.CounterVec
	ended     *prometheus.CounterVec
	faults    *prometheus.CounterVec
	windows   *prometheus.HistogramVec
	answers   *prometheus.CounterVec
	repeats   *prometheus.CounterVec
	frames    *prometheus.CounterVec
	bytes     *prometheus.CounterVec
	rejected  *prometheus.CounterVec
	opened    *prometheus.HistogramVec
	streams   *prometheus.GaugeVec
	requests  *prometheus.CounterVec
	open      *prometheus.GaugeVec
	durations *prometheus.HistogramVec
	reloads   *prometheus.CounterVec
	pushes    *prometheus.CounterVec

	traffic sync.Map // *traffic by protocol
}

func newMetrics() *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "mochibosh", Name: name, Help: help}, labels)
		m.registry.MustRegister(c)
		return c
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "mochibosh", Name: name, Help: help}, labels)
		m.registry.MustRegister(g)
		return g
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "mochibosh", Name: name, Help: help, Buckets: buckets}, labels)
		m.registry.MustRegister(h)
		return h
	}
	seconds := []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120}

	m.pushes = counter("web_push_total", "Push notifications, by what became of them: sent, expired with their subscription, or why they were given up.", "result")
	m.sessions = gauge("sessions", "Live sessions.", "protocol")
	m.started = counter("sessions_started_total", "Sessions that began.", "protocol")
	m.ended = counter("sessions_ended_total", "Sessions that ended, by why.", "protocol", "condition")
	m.faults = counter("server_faults_total", "Tries to open streams to XMPP servers that failed, and streams that broke, by how far they came: dns, connect, tls or stream.", "domain", "stage")
	m.rejected = counter("server_errors_total", "Streams that XMPP servers ended with an error, by its condition.", "domain", "condition")
	m.windows = histogram("session_window_requests", "Requests that sessions may have open, as agreed.", []float64{1, 2, 3, 4, 8, 16, 64, 256}, "protocol")
	m.answers = counter("answers_total", "Answers to requests and pulls; empty ones say nothing.", "protocol", "empty")
	m.repeats = counter("repeats_total", "Requests that came again: their answer was given again, or is owed to the newer copy.", "protocol")
	m.frames = counter("frames_total", "Stanzas and messages, from clients (in) and to them (out).", "protocol", "direction")
	m.bytes = counter("frame_bytes_total", "Their bytes.", "protocol", "direction")
	m.opened = histogram("server_open_seconds", "How long it took to open streams to XMPP servers, up to their features.", seconds, "domain")
	m.streams = gauge("server_streams", "Open streams to XMPP servers.", "domain")
	m.requests = counter("http_requests_total", "Answered requests.", "endpoint", "code")
	m.open = gauge("http_requests_open", "Requests without an answer yet: those of bosh, longpoll and sse are mostly held.", "endpoint")
	m.durations = histogram("http_request_seconds", "How long requests took, with the time that they were held.", seconds, "endpoint")
	m.reloads = counter("reloads_total", "Reloads of the configuration.", "result")
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// watch shows what the manager remembers, and what is kept in all.
func (m *metrics) watch(manager *transport.Manager, budget *transport.Budget) {
	if budget != nil {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: "mochibosh",
			Name:      "kept_bytes",
			Help:      "Bytes that count in the memory budget.",
		}, func() float64 { return float64(budget.Used()) }))
	}
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "mochibosh",
		Name:      "sessions_remembered",
		Help:      "Sessions that are over, and remembered for late requests.",
	}, func() float64 { return float64(manager.Stats().Ended) }))
}

// webPushTrace returns what Web Push is to tell.
func (m *metrics) webPushTrace() webpush.Trace {
	return webpush.Trace{
		Sent:    m.pushes.WithLabelValues("sent").Inc,
		Expired: m.pushes.WithLabelValues("expired").Inc,
		Failed:  func(reason string) { m.pushes.WithLabelValues(reason).Inc() },
	}
}

func (m *metrics) watchWebPush(p *webpush.Pusher) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "mochibosh",
		Name:      "web_push_waiting",
		Help:      "Push notifications that wait to be sent, or for an acknowledgement.",
	}, func() float64 { return float64(p.Waiting()) }))
}

// watchNode shows what this server has to do with others.
func (m *metrics) watchNode(n *nodes.Node) {
	for _, g := range []struct {
		name, help string
		value      func(nodes.Stats) float64
	}{
		{"node_peers", "Other servers that are there.", func(s nodes.Stats) float64 { return float64(s.Peers) }},
		{"node_waiting", "Requests of clients here that other servers are to answer.", func(s nodes.Stats) float64 { return float64(s.Waiting) }},
		{"node_serving", "Requests of clients elsewhere that wait here.", func(s nodes.Stats) float64 { return float64(s.Serving) }},
	} {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: "mochibosh", Name: g.name, Help: g.help,
		}, func() float64 { return g.value(n.Stats()) }))
	}
	for _, c := range []struct {
		name, help string
		value      func(nodes.Stats) float64
	}{
		{"node_forwarded_total", "Requests passed on to other servers.", func(s nodes.Stats) float64 { return float64(s.Forwarded) }},
		{"node_served_total", "Requests that other servers passed on.", func(s nodes.Stats) float64 { return float64(s.Served) }},
		{"node_failed_total", "Requests that could not be passed on, or were not answered: their clients repeat them.", func(s nodes.Stats) float64 { return float64(s.Failed) }},
		{"node_taken_over_total", "Sessions of servers that were gone.", func(s nodes.Stats) float64 { return float64(s.TakenOver) }},
	} {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Namespace: "mochibosh", Name: c.name, Help: c.help,
		}, func() float64 { return c.value(n.Stats()) }))
	}
}

// trace returns what the session core is to tell.
func (m *metrics) trace() *transport.Trace {
	return &transport.Trace{
		SessionStarted: func(s *transport.Session) {
			p := s.Params()
			m.sessions.WithLabelValues(p.Protocol).Inc()
			m.started.WithLabelValues(p.Protocol).Inc()
			m.windows.WithLabelValues(p.Protocol).Observe(float64(p.Requests))
		},
		SessionEnded: func(s *transport.Session, t *transport.Termination) {
			p := s.Params().Protocol
			m.sessions.WithLabelValues(p).Dec()
			m.ended.WithLabelValues(p, string(t.Condition)).Inc()
		},
		Answered: func(s *transport.Session, frames, bytes int) {
			t := m.trafficOf(s.Params().Protocol)
			if frames == 0 {
				t.empty.Inc()
				return
			}
			t.answers.Inc()
			t.framesOut.Add(float64(frames))
			t.bytesOut.Add(float64(bytes))
		},
		Accepted: func(s *transport.Session, frames, bytes int) {
			t := m.trafficOf(s.Params().Protocol)
			t.framesIn.Add(float64(frames))
			t.bytesIn.Add(float64(bytes))
		},
		Repeated: func(s *transport.Session) { m.repeats.WithLabelValues(s.Params().Protocol).Inc() },
	}
}

// traffic is that of one protocol: to find a metric by its labels takes longer
// than to count.
type traffic struct {
	answers, empty      prometheus.Counter
	framesIn, framesOut prometheus.Counter
	bytesIn, bytesOut   prometheus.Counter
}

func (m *metrics) trafficOf(protocol string) *traffic {
	if t, ok := m.traffic.Load(protocol); ok {
		return t.(*traffic)
	}
	t, _ := m.traffic.LoadOrStore(protocol, &traffic{
		answers:   m.answers.WithLabelValues(protocol, "false"),
		empty:     m.answers.WithLabelValues(protocol, "true"),
		framesIn:  m.frames.WithLabelValues(protocol, "in"),
		framesOut: m.frames.WithLabelValues(protocol, "out"),
		bytesIn:   m.bytes.WithLabelValues(protocol, "in"),
		bytesOut:  m.bytes.WithLabelValues(protocol, "out"),
	})
	return t.(*traffic)
}

// relayTrace returns what the relay is to tell.
func (m *metrics) relayTrace() xmpp.Trace {
	return xmpp.Trace{
		Opened: func(domain string, took time.Duration) {
			m.streams.WithLabelValues(domain).Inc()
			m.opened.WithLabelValues(domain).Observe(took.Seconds())
		},
		Closed:      func(domain string) { m.streams.WithLabelValues(domain).Dec() },
		Fault:       func(e *xmpp.Error) { m.faults.WithLabelValues(e.Domain, string(e.Stage)).Inc() },
		ServerError: func(domain, condition string) { m.rejected.WithLabelValues(domain, condition).Inc() },
	}
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}
