package receipthook

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// scope names who makes the spans.
const scope = "github.com/mochibosh/mochibosh/backends/bus/receipthook"

// traced posts once, within a span if somebody traces.
func (h *Hook) traced(ctx context.Context, id string, body []byte) error {
	if h.tracer == nil {
		return h.try(ctx, id, body)
	}
	ctx, span := h.tracer.Start(ctx, "webhook receipts", trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("http.request.method", http.MethodPost),
		attribute.String("mochibosh.webhook.event", "receipts"),
	))
	defer span.End()
	err := h.try(ctx, id, body)
	if err != nil {
		span.SetStatus(codes.Error, "")
	}
	return err
}
