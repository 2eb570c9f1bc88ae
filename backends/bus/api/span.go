package api

import (
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/mochibosh/mochibosh/backends/bus"
)

// scope names who makes the spans.
const scope = "github.com/mochibosh/mochibosh/backends/bus/api"

// traced answers a call within a span. Who called, in which topics, and what was
// said there, is in none.
func (h *Handler) traced(w http.ResponseWriter, r *http.Request) {
	ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	operation := operationOf(r)
	ctx, span := h.tracer.Start(ctx, "POST "+Path+operation, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("http.request.method", r.Method),
		attribute.String("http.route", Path+operation),
	))
	defer span.End()
	code := h.observed(w, r.WithContext(ctx))
	status := http.StatusOK
	if code != "" {
		status = statuses[code]
		span.SetAttributes(attribute.String("error.type", string(code)))
	}
	span.SetAttributes(attribute.Int("http.response.status_code", status))
	if code == bus.Internal {
		span.SetStatus(codes.Error, "")
	}
}
