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
	sockets   *prometheus.GaugeVec
	durations *prometheus.HistogramVec
	reloads   *prometheus.CounterVec
	pushes    *prometheus.CounterVec
	limits    *prometheus.CounterVec
	stored    *prometheus.CounterVec
	storing   *prometheus.HistogramVec
	bus       busMetrics

	traffic sync.Map // *traffic by protocol
}

func newMetrics() *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	counter, gauge, histogram := m.counter, m.labelled, m.histogram
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
	m.sockets = gauge("websockets_open", "Open WebSockets.", "endpoint")
	m.durations = histogram("http_request_seconds", "How long requests took, with the time that they were held.", seconds, "endpoint")
	m.reloads = counter("reloads_total", "Reloads of the configuration.", "result")
	m.limits = counter("limits_reached_total", "How often a limit was reached, by the name of its setting.", "limit")
	m.stored = counter("store_operations_total", "Loads, saves and deletions of sessions where they outlive the process.", "operation", "result")
	m.storing = histogram("store_seconds", "How long they took.", callSeconds, "operation")
	m.addBus()
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// limited counts that a limit was reached.
func (m *metrics) limited(setting string) { m.limits.WithLabelValues(setting).Inc() }

// watch shows what the manager remembers, what its sessions are at, and what is
// kept in all.
func (m *metrics) watch(manager *transport.Manager, sessions *register, budget *transport.Budget) {
	m.registry.MustRegister(newWindows(sessions))
	if budget != nil {
		m.gauge("kept_bytes", "Bytes that count in the memory budget.", func() float64 { return float64(budget.Used()) })
		m.gauge("memory_budget_bytes", "The memory budget.", func() float64 { return float64(budget.Bytes) })
		m.gauge("memory_full", "1 while new sessions are refused, for the sake of memory.", func() float64 {
			if budget.Full() {
				return 1
			}
			return 0
		})
	}
	m.gauge("sessions_remembered", "Sessions that are over, and remembered for late requests.", func() float64 { return float64(manager.Stats().Ended) })
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
	m.gauge("web_push_waiting", "Push notifications that wait to be sent, or for an acknowledgement.", func() float64 { return float64(p.Waiting()) })
}

// watchNode shows what this server has to do with others.
func (m *metrics) watchNode(n *nodes.Node) {
	m.gauges(func() []float64 {
		s := n.Stats()
		return []float64{float64(s.Peers), float64(s.Waiting), float64(s.Serving)}
	},
		named{"node_peers", "Other servers that are there."},
		named{"node_waiting", "Requests of clients here that other servers are to answer."},
		named{"node_serving", "Requests of clients elsewhere that wait here."})
	m.counters(func() []float64 {
		s := n.Stats()
		return []float64{float64(s.Forwarded), float64(s.Served), float64(s.Failed), float64(s.TakenOver)}
	},
		named{"node_forwarded_total", "Requests passed on to other servers."},
		named{"node_served_total", "Requests that other servers passed on."},
		named{"node_failed_total", "Requests that could not be passed on, or were not answered: their clients repeat them."},
		named{"node_taken_over_total", "Sessions of servers that were gone."})
}

// trace returns what the session core is to tell.
func (m *metrics) trace(sessions *register) *transport.Trace {
	return &transport.Trace{
		SessionStarted: func(s *transport.Session) {
			p := s.Params()
			sessions.started(s)
			m.sessions.WithLabelValues(p.Protocol).Inc()
			m.started.WithLabelValues(p.Protocol).Inc()
			m.windows.WithLabelValues(p.Protocol).Observe(float64(p.Requests))
		},
		SessionEnded: func(s *transport.Session, t *transport.Termination) {
			p := s.Params().Protocol
			sessions.ended(s)
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
