package main

import (
	"github.com/prometheus/client_golang/prometheus"
)

// windows are metrics of what the sessions are at, by protocol. They are counted
// when somebody asks, which looks at each session once.
type windows struct {
	register *register
	held     *prometheus.Desc
	bytes    *prometheus.Desc
	full     *prometheus.Desc
	away     *prometheus.Desc
}

func newWindows(r *register) *windows {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("mochibosh_"+name, help, labels, nil)
	}
	return &windows{
		register: r,
		held:     desc("held_requests", "Requests and pulls that wait for something to say.", "protocol"),
		bytes:    desc("window_bytes", "Bytes that wait for backends (inbox) and for clients (outbox), in all sessions.", "protocol", "window"),
		full:     desc("windows_full", "Sessions whose window takes no more: who fills it waits, or is treated as a slow subscriber.", "protocol", "window"),
		away:     desc("sessions_away", "Sessions of which no connection is open just now.", "protocol"),
	}
}

// Describe implements prometheus.Collector.
func (w *windows) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{w.held, w.bytes, w.full, w.away} {
		to <- d
	}
}

// sums are those of one protocol.
type sums struct{ held, away, in, out, inFull, outFull int }

// Collect implements prometheus.Collector.
func (w *windows) Collect(to chan<- prometheus.Metric) {
	all := make(map[string]*sums)
	for _, s := range w.register.all() {
		protocol := s.Params().Protocol
		sum := all[protocol]
		if sum == nil {
			sum = new(sums)
			all[protocol] = sum
		}
		st := s.Status()
		sum.held += st.Slots
		sum.in += st.InboxBytes + st.EarlyBytes
		sum.out += st.OutboxBytes
		if st.Pulling {
			sum.held++
		}
		if !st.Quiet.IsZero() {
			sum.away++
		}
		if st.InboxFull() {
			sum.inFull++
		}
		if st.OutboxFull() {
			sum.outFull++
		}
	}
	for protocol, sum := range all {
		gauge := func(d *prometheus.Desc, value int, labels ...string) {
			to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(value), append([]string{protocol}, labels...)...)
		}
		gauge(w.held, sum.held)
		gauge(w.away, sum.away)
		gauge(w.bytes, sum.in, "inbox")
		gauge(w.bytes, sum.out, "outbox")
		gauge(w.full, sum.inFull, "inbox")
		gauge(w.full, sum.outFull, "outbox")
	}
}
