package webhook

import (
	"net/http"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/mochibosh/mochibosh/auth"
)

// listening is an application that also notes what trace it is told of.
type listening struct {
	application
	traceparent string
}

func (l *listening) RoundTrip(r *http.Request) (*http.Response, error) {
	l.traceparent = r.Header.Get("Traceparent")
	return l.application.RoundTrip(r)
}

func TestSpans(t *testing.T) {
	for _, tt := range []struct {
		status      int
		unreachable bool
		code        codes.Code
	}{
		{200, false, codes.Unset},
		{403, false, codes.Unset},
		{200, true, codes.Error},
	} {
		kept := tracetest.NewInMemoryExporter()
		provider := sdk.NewTracerProvider(sdk.WithSyncer(kept))
		app := &listening{application: application{answer: `{"allow":true}`, status: tt.status, unreachable: tt.unreachable}}
		h, err := New("https://app.example/hook", &Options{Secret: "hush", Client: &http.Client{Transport: app}, Tracing: provider})
		if err != nil {
			t.Fatal(err)
		}
		ctx, outer := provider.Tracer("test").Start(t.Context(), "outer")
		h.Decide(ctx, &auth.Principal{User: "ann"}, auth.Publish, "secrets")
		spans := kept.GetSpans()
		if len(spans) != 1 {
			t.Fatalf("%d spans", len(spans))
		}
		s := spans[0]
		if s.Name != "webhook publish" || s.SpanKind != trace.SpanKindClient || s.Status.Code != tt.code || s.Parent.SpanID() != outer.SpanContext().SpanID() {
			t.Errorf("%+v", s)
		}
		if want := "00-" + s.SpanContext.TraceID().String() + "-" + s.SpanContext.SpanID().String() + "-01"; app.traceparent != want {
			t.Errorf("the application is told of %q, not of %q", app.traceparent, want)
		}
		for _, kv := range s.Attributes {
			if v := kv.Value.String(); strings.Contains(v, "ann") || strings.Contains(v, "secrets") {
				t.Errorf("%v is nobody's business", kv)
			}
		}
	}
}

// Who does not trace tells the application nothing.
func TestNoSpans(t *testing.T) {
	app := &listening{application: application{answer: `{"allow":true}`}}
	h, err := New("https://app.example/hook", &Options{Client: &http.Client{Transport: app}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, span := sdk.NewTracerProvider().Tracer("test").Start(t.Context(), "outer")
	defer span.End()
	if h.Decide(ctx, &auth.Principal{}, auth.Publish, "t"); app.traceparent != "" {
		t.Errorf("told of %s", app.traceparent)
	}
}
