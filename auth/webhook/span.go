package webhook

import (
	"context"
	"errors"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/mochibosh/mochibosh/auth"
)

// scope names who makes the spans.
const scope = "github.com/mochibosh/mochibosh/auth/webhook"

// traced asks within a span, if somebody traces. Who is asked about, and in which
// topic, is not in it.
func (h *Hook) traced(ctx context.Context, q *question, answer any) error {
	if h.tracer == nil {
		return h.question(ctx, q, answer)
	}
	ctx, span := h.tracer.Start(ctx, "webhook "+q.Event, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		attribute.String("http.request.method", http.MethodPost),
		attribute.String("mochibosh.webhook.event", q.Event),
	))
	defer span.End()
	err := h.question(ctx, q, answer)
	var e *auth.Error
	if errors.As(err, &e) {
		span.SetAttributes(attribute.String("error.type", string(e.Code)))
		if e.Code == auth.Unavailable {
			span.SetStatus(codes.Error, "")
		}
	}
	return err
}
