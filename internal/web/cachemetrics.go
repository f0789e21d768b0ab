package web

import (
	"github.com/prometheus/client_golang/prometheus"

	"azulejo/internal/cache"
)

// CacheMetrics tells Prometheus what happens in the cache of immutable things. It asks when it is asked.
type CacheMetrics struct {
	counts                         func() map[string]cache.Counts
	lookups, dropped, bytes, entry *prometheus.Desc
}

var _ prometheus.Collector = (*CacheMetrics)(nil)

// NewCacheMetrics returns the metrics of a cache whose counters, by what is kept, counts returns.
func NewCacheMetrics(counts func() map[string]cache.Counts) *CacheMetrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("azulejo_cache_"+name, help, append([]string{"kind"}, labels...), nil)
	}
	return &CacheMetrics{counts: counts,
		lookups: desc("lookups_total", "Look-ups in the cache of immutable things by outcome.", "outcome"),
		dropped: desc("dropped_total", "Things dropped from the cache to make room."),
		bytes:   desc("bytes", "Bytes in the cache, by estimate."),
		entry:   desc("entries", "Things in the cache."),
	}
}

// Describe implements prometheus.Collector.
func (m *CacheMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.lookups, m.dropped, m.bytes, m.entry} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (m *CacheMetrics) Collect(to chan<- prometheus.Metric) {
	for kind, n := range m.counts() {
		for _, v := range []struct {
			desc   *prometheus.Desc
			kind   prometheus.ValueType
			value  float64
			labels []string
		}{
			{m.lookups, prometheus.CounterValue, float64(n.Hits), []string{kind, "hit"}},
			{m.lookups, prometheus.CounterValue, float64(n.Misses), []string{kind, "miss"}},
			{m.dropped, prometheus.CounterValue, float64(n.Dropped), []string{kind}},
			{m.bytes, prometheus.GaugeValue, float64(n.NBytes), []string{kind}},
			{m.entry, prometheus.GaugeValue, float64(n.Entries), []string{kind}},
		} {
			to <- prometheus.MustNewConstMetric(v.desc, v.kind, v.value, v.labels...)
		}
	}
}
