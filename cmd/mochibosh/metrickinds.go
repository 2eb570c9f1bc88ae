package main

import "github.com/prometheus/client_golang/prometheus"

// This file has how metrics are made: each is registered at once, under the
// program's name.

func (m *metrics) counter(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "mochibosh", Name: name, Help: help}, labels)
	m.registry.MustRegister(c)
	return c
}

func (m *metrics) labelled(name, help string, labels ...string) *prometheus.GaugeVec {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "mochibosh", Name: name, Help: help}, labels)
	m.registry.MustRegister(g)
	return g
}

func (m *metrics) histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "mochibosh", Name: name, Help: help, Buckets: buckets}, labels)
	m.registry.MustRegister(h)
	return h
}

// gauge is asked for its value when somebody wants to know.
func (m *metrics) gauge(name, help string, value func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "mochibosh", Name: name, Help: help}, value))
}

// A named metric is one of several that are read together.
type named struct{ name, help string }

// gauges are read together, in this order, when somebody wants to know.
func (m *metrics) gauges(read func() []float64, names ...named) {
	m.registry.MustRegister(newTogether(prometheus.GaugeValue, read, names))
}

func (m *metrics) counters(read func() []float64, names ...named) {
	m.registry.MustRegister(newTogether(prometheus.CounterValue, read, names))
}

// together is a prometheus.Collector.
type together struct {
	kind  prometheus.ValueType
	read  func() []float64
	descs []*prometheus.Desc
}

func newTogether(kind prometheus.ValueType, read func() []float64, names []named) *together {
	t := &together{kind: kind, read: read}
	for _, n := range names {
		t.descs = append(t.descs, prometheus.NewDesc("mochibosh_"+n.name, n.help, nil, nil))
	}
	return t
}

// Describe implements prometheus.Collector.
func (t *together) Describe(to chan<- *prometheus.Desc) {
	for _, d := range t.descs {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (t *together) Collect(to chan<- prometheus.Metric) {
	for i, v := range t.read() {
		to <- prometheus.MustNewConstMetric(t.descs[i], t.kind, v)
	}
}
