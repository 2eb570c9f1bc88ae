package api

import (
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/mochibosh/mochibosh/backends/bus"
)

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func TestSpans(t *testing.T) {
	kept := tracetest.NewInMemoryExporter()
	provider := sdk.NewTracerProvider(sdk.WithSyncer(kept))
	k, secret := key(t, "shop", "publish on t")
	h := NewHandler(bus.New(nil), &Options{Keys: NewKeys(k), Tracing: provider})
	for _, tt := range []struct {
		operation, body, name, refusal string
		status                         int
	}{
		{"publish", `{"topic":"t","data":"hush"}`, "POST /api/publish", "", 200},
		{"publish", `{"topic":"u","data":"hush"}`, "POST /api/publish", "forbidden", 403},
		{"dance", `{}`, "POST /api/other", "not-found", 404},
	} {
		kept.Reset()
		r := httptest.NewRequest("POST", Path+tt.operation, strings.NewReader(tt.body))
		r.Header.Set("Authorization", "Bearer "+secret)
		r.Header.Set("Traceparent", traceparent)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		spans := kept.GetSpans()
		if len(spans) != 1 || w.Code != tt.status {
			t.Fatalf("%s: %d spans, status %d", tt.operation, len(spans), w.Code)
		}
		s := spans[0]
		if s.Name != tt.name || s.SpanKind != trace.SpanKindServer || s.Status.Code != codes.Unset ||
			s.Parent.SpanID().String() != "b7ad6b7169203331" || s.SpanContext.TraceID().String() != "0af7651916cd43dd8448eb211c80319c" || !s.Parent.IsRemote() {
			t.Errorf("%s: %+v", tt.operation, s)
		}
		all := attribute.NewSet(s.Attributes...)
		status, _ := all.Value("http.response.status_code")
		refusal, _ := all.Value("error.type")
		if status.AsInt64() != int64(tt.status) || refusal.AsString() != tt.refusal {
			t.Errorf("%s: %v", tt.operation, s.Attributes)
		}
		for _, kv := range s.Attributes {
			if v := kv.Value.String(); strings.Contains(v, "hush") || strings.Contains(v, secret) || strings.Contains(v, "shop") {
				t.Errorf("%s: %v is nobody's business", tt.operation, kv)
			}
		}
	}
}
