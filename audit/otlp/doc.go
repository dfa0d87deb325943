// Package otlp sends audit events and traces to an OpenTelemetry collector, by
// OTLP/HTTP with protobuf bodies.
//
// It encodes the protocol by itself: the exporters of OpenTelemetry bring gRPC
// along, which adds 8.6 MB to a program and 8 MB to its memory, each as much as the
// whole sidecar has. The encoder is held against OpenTelemetry's own message types
// by the tests. Spans are made, sampled and batched by OpenTelemetry's SDK; events
// wait in an audit.Queue, encoded, so that what they cost is bounded and counted.
//
// A collector that is slow, or dead, delays nobody: what it does not take within
// the time that Options give it is lost.
package otlp
