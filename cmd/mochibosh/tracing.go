package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/mochibosh/mochibosh/internal/otlp"
)

// headersVariable has what a collector wants to be sent, which may be secret. The
// other variables of OpenTelemetry that count are read by its own code.
const headersVariable = "OTEL_EXPORTER_OTLP_HEADERS"

// tracing sends spans to a collector. Nil: there are none.
type tracing struct{ provider *sdk.TracerProvider }

func newTracing(s *settings, logger *slog.Logger) (*tracing, error) {
	if s.OTLPEndpoint == "" {
		return nil, nil
	}
	headers, err := otlp.ParseHeaders(os.Getenv(headersVariable))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", headersVariable, err)
	}
	e, err := otlp.New(s.OTLPEndpoint, &otlp.Options{Headers: headers})
	if err != nil {
		return nil, fmt.Errorf("otlp-endpoint: %w", err)
	}
	// What OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME say counts before ours.
	ours := resource.NewSchemaless(attribute.String("service.name", "mochibosh"))
	if s.Node != "" {
		ours = resource.NewSchemaless(attribute.String("service.name", "mochibosh"), attribute.String("service.instance.id", s.Node))
	}
	all, err := resource.Merge(ours, resource.Environment())
	if err != nil {
		return nil, fmt.Errorf("otlp-endpoint: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { logger.Warn("spans are lost", "error", err) }))
	return &tracing{sdk.NewTracerProvider(sdk.WithBatcher(e), sdk.WithResource(all))}, nil
}

// spans returns where spans go; nil: nowhere.
func (t *tracing) spans() trace.TracerProvider {
	if t == nil {
		return nil
	}
	return t.provider
}

// remember has what a request leads to, such as a question to the application, be
// in the trace that the request is of.
func (t *tracing) remember(r *http.Request) *http.Request {
	if t == nil || r.Header.Get("Traceparent") == "" {
		return r
	}
	return r.WithContext(propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header)))
}

// finish sends what is left.
func (t *tracing) finish(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}
