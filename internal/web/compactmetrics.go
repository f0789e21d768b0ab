package web

import (
	"github.com/prometheus/client_golang/prometheus"

	"azulejo/consolidate"
)

// CompactMetrics counts what the upkeep of arrays in the background does.
type CompactMetrics struct {
	looked, failed prometheus.Counter
	merged, bytes  *prometheus.CounterVec
	removed        prometheus.Counter
}

// NewCompactMetrics returns counters at zero, registered.
func NewCompactMetrics(registry *prometheus.Registry) *CompactMetrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "azulejo_compact_" + name, Help: help})
	}
	m := &CompactMetrics{
		looked:  counter("looked_total", "Arrays and groups that the upkeep looked at."),
		failed:  counter("failed_total", "Arrays and groups whose upkeep failed."),
		removed: counter("removed_total", "Files and fragments removed because merged ones had replaced them."),
		merged: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "azulejo_compact_merged_total",
			Help: "Fragments merged, and merged files of commits, footers and metadata written."}, []string{"kind"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "azulejo_compact_bytes_total",
			Help: "Bytes of the fragments merged, of those made of them, and of what was removed."}, []string{"what"}),
	}
	registry.MustRegister(m.looked, m.failed, m.removed, m.merged, m.bytes)
	return m
}

// Add counts the upkeep of one array or group.
func (m *CompactMetrics) Add(d consolidate.Done, err error) {
	m.looked.Inc()
	if err != nil {
		m.failed.Inc()
	}
	m.removed.Add(float64(d.Removed))
	for kind, n := range map[string]int{"fragments": d.Merged, "commits": d.Commits, "footers": d.Footers, "metadata": d.Metadata} {
		m.merged.WithLabelValues(kind).Add(float64(n))
	}
	for what, n := range map[string]uint64{"merged": d.MergedBytes, "made": d.MadeBytes, "removed": d.RemovedBytes} {
		m.bytes.WithLabelValues(what).Add(float64(n))
	}
}
