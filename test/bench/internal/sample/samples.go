//go:build linux

package sample

import (
	"fmt"
	"time"

	"github.com/mcpauth/mcpauth/test/bench/internal/report"
)

// Samples are the rounds of one load.
type Samples []Sample

// Median is that of the values that pick takes out of each.
func (s Samples) Median(pick func(Sample) float64) float64 {
	return report.Median(of(s, pick))
}

// of are the values that pick takes out of each.
func of[T any](all Samples, pick func(Sample) T) []T {
	values := make([]T, len(all))
	for i, one := range all {
		values[i] = pick(one)
	}
	return values
}

// PerSecond is how many requests were answered each second.
func (s Samples) PerSecond() float64 { return report.Median(of(s, Sample.PerSecond)) }

// Quantile is the latency within which the share q of the requests were answered.
func (s Samples) Quantile(q float64) time.Duration {
	return report.Median(of(s, func(one Sample) time.Duration { return one.Quantile(q) }))
}

// Cost is the time of a core that a request took the server.
func (s Samples) Cost() time.Duration {
	return report.Median(of(s, func(one Sample) time.Duration { return one.Cost }))
}

// GeneratorCost is the time of a core that a request took the generator.
func (s Samples) GeneratorCost() time.Duration {
	return report.Median(of(s, func(one Sample) time.Duration { return one.GeneratorCost }))
}

// Generator is the generator's share of the cores.
func (s Samples) Generator() float64 {
	return s.Median(func(one Sample) float64 { return one.Generator })
}

// Tail is the ratio of the latencies p99 and p50.
func (s Samples) Tail() float64 {
	return s.Median(func(one Sample) float64 {
		return float64(one.Quantile(0.99)) / float64(max(one.Quantile(0.5), 1))
	})
}

// String says how many there were a second, and how long they took.
func (s Samples) String() string {
	return fmt.Sprintf("%s/s, p50 %s, p99 %s", report.Count(s.PerSecond()), report.Time(s.Quantile(0.5)), report.Time(s.Quantile(0.99)))
}

// Cores says what the cores did, and what of it a request cost.
func (s Samples) Cores() string {
	share := func(pick func(Sample) float64) string { return report.Percent(s.Median(pick)) }
	behind := ""
	if s.Median(func(one Sample) float64 { return one.Behind }) > 0 {
		behind = ", behind it " + share(func(one Sample) float64 { return one.Behind })
	}
	return fmt.Sprintf("server %s%s, generator %s, others %s, idle %s; of a core a request took the server %s and the generator %s",
		share(func(one Sample) float64 { return one.Server }), behind, share(func(one Sample) float64 { return one.Generator }),
		share(func(one Sample) float64 { return one.Others }), share(func(one Sample) float64 { return one.Idle }),
		report.Time(s.Cost()), report.Time(s.GeneratorCost()))
}
