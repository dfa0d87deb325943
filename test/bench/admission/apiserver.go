//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// calls is what the API server's histogram says of its calls of the webhook so far.
type calls struct {
	count uint64
	sum   time.Duration
	// within is how many took no longer than the bucket's bound.
	within map[time.Duration]uint64
}

// webhookCalls reads apiserver_admission_webhook_admission_duration_seconds, of all
// webhooks together.
func (c *cluster) webhookCalls(ctx context.Context) (calls, error) {
	text, err := c.clients.RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return calls{}, err
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return calls{}, err
	}
	family := families["apiserver_admission_webhook_admission_duration_seconds"]
	if family == nil {
		return calls{}, errors.New("the API server does not say how long its webhooks took")
	}
	all := calls{within: map[time.Duration]uint64{}}
	for _, metric := range family.GetMetric() {
		all.add(metric.GetHistogram())
	}
	return all, nil
}

func (c *calls) add(h *dto.Histogram) {
	c.count += h.GetSampleCount()
	c.sum += time.Duration(h.GetSampleSum() * float64(time.Second))
	for _, bucket := range h.GetBucket() {
		c.within[time.Duration(bucket.GetUpperBound()*float64(time.Second))] += bucket.GetCumulativeCount()
	}
}

// since is what came after an earlier reading.
func (c calls) since(before calls) calls {
	later := calls{count: c.count - before.count, sum: c.sum - before.sum, within: map[time.Duration]uint64{}}
	for bound, count := range c.within {
		later.within[bound] = count - before.within[bound]
	}
	return later
}
