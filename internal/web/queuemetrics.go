package web

import (
	"github.com/prometheus/client_golang/prometheus"

	"azulejo/internal/gate"
)

// queueMetrics shows what running queries hold and how many wait.
type queueMetrics struct {
	counts                  func() gate.Counts
	bytes, running, waiting *prometheus.Desc
}

// NewQueueMetrics returns gauges of what counts tells.
func NewQueueMetrics(counts func() gate.Counts) prometheus.Collector {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("azulejo_queries_"+name, help, nil, nil)
	}
	return &queueMetrics{counts, desc("bytes", "Memory that running queries have booked."), desc("running", "Queries that compute."),
		desc("waiting", "Queries that wait for memory or for others.")}
}

// Describe sends the descriptions.
func (m *queueMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.bytes, m.running, m.waiting} {
		to <- d
	}
}

// Collect sends the values of now.
func (m *queueMetrics) Collect(to chan<- prometheus.Metric) {
	c := m.counts()
	for d, v := range map[*prometheus.Desc]float64{m.bytes: float64(c.Bytes), m.running: float64(c.Running), m.waiting: float64(c.Waiting)} {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
}
