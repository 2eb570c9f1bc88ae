// Package otlp sends spans to a collector: OTLP over HTTP, in JSON
// (https://opentelemetry.io/docs/specs/otlp/#otlphttp). It has as much of it as our
// spans do: no events, and no links. What OpenTelemetry itself has for this brings
// gRPC with it, whatever the spans travel by.
package otlp
