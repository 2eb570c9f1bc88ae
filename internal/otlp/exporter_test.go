package otlp

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdkresource "go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// A collector answers with one status after the other; the last goes on.
type collector struct {
	statuses []int
	after    string // Retry-After
	bodies   []string
	header   http.Header
	url      string
}

func (c *collector) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	c.bodies, c.header, c.url = append(c.bodies, string(body)), r.Header, r.URL.String()
	status := c.statuses[min(len(c.bodies), len(c.statuses))-1]
	if status == 0 {
		return nil, errors.New("connection refused")
	}
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Header: http.Header{"Retry-After": {c.after}}, Body: http.NoBody}, nil
}

// spans returns one of a server with one of a client below it, which failed.
func spans(t *testing.T) []sdk.ReadOnlySpan {
	t.Helper()
	kept := tracetest.NewSpanRecorder()
	p := sdk.NewTracerProvider(sdk.WithSpanProcessor(kept), sdk.WithResource(sdkresource.NewSchemaless(attribute.String("service.name", "mochibosh"))))
	ctx, outer := p.Tracer("a").Start(t.Context(), "outer", trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attribute.Int("n", 7), attribute.Bool("b", true), attribute.Float64("f", .5), attribute.StringSlice("l", []string{"x"})))
	_, inner := p.Tracer("b").Start(ctx, "inner", trace.WithSpanKind(trace.SpanKindClient))
	inner.SetStatus(codes.Error, "why")
	inner.End()
	outer.SetStatus(codes.Ok, "")
	outer.End()
	return kept.Ended()
}

func exporter(t *testing.T, c *collector) *Exporter {
	t.Helper()
	e, err := New("http://collector:4318/", &Options{Client: &http.Client{Transport: c}, Headers: map[string]string{"Api-Key": "x"}})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestWhatIsSent(t *testing.T) {
	c := &collector{statuses: []int{200}}
	all := spans(t)
	if err := exporter(t, c).ExportSpans(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	if c.url != "http://collector:4318/v1/traces" || c.header.Get("Api-Key") != "x" || c.header.Get("Content-Type") != "application/json" {
		t.Errorf("posted to %s with %v", c.url, c.header)
	}
	inner, outer := all[0], all[1]
	var got any
	if err := json.Unmarshal([]byte(c.bodies[0]), &got); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		`{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"mochibosh"}}]},"scopeSpans":[{"scope":{"name":"b"},"spans":[{"traceId":"`,
		`"traceId":"` + outer.SpanContext().TraceID().String() + `","spanId":"` + inner.SpanContext().SpanID().String() + `","parentSpanId":"` + outer.SpanContext().SpanID().String() + `","name":"inner","kind":3,"startTimeUnixNano":"`,
		`"status":{"code":2,"message":"why"}`, `"name":"outer","kind":2`, `"status":{"code":1}`,
		`{"key":"n","value":{"intValue":"7"}},{"key":"b","value":{"boolValue":true}},{"key":"f","value":{"doubleValue":0.5}},{"key":"l","value":{"stringValue":"[\"x\"]"}}`,
	} {
		if !strings.Contains(c.bodies[0], part) {
			t.Errorf("%s\nhas no %s", c.bodies[0], part)
		}
	}
}

func TestCollectorsThatFail(t *testing.T) {
	for _, tt := range []struct {
		name  string
		c     collector
		tries int
		took  time.Duration
		fails bool
	}{
		{"once", collector{statuses: []int{503, 200}}, 2, time.Second, false},
		{"and says when", collector{statuses: []int{429, 200}, after: "7"}, 2, 7 * time.Second, false},
		{"nobody is there", collector{statuses: []int{0, 0, 200}}, 3, 3 * time.Second, false},
		{"it takes none", collector{statuses: []int{400}}, 1, 0, true},
		{"a redirect", collector{statuses: []int{302}}, 1, 0, true},
		{"for ever", collector{statuses: []int{502}}, 5, 30 * time.Second, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				began := time.Now()
				err := exporter(t, &tt.c).ExportSpans(ctx, spans(t))
				if (err != nil) != tt.fails || len(tt.c.bodies) != tt.tries || time.Since(began) != tt.took {
					t.Errorf("%v after %d tries and %v", err, len(tt.c.bodies), time.Since(began))
				}
			})
		})
	}
}

func TestAddresses(t *testing.T) {
	for _, url := range []string{"", "collector:4318", "grpc://collector"} {
		if _, err := New(url, nil); err == nil {
			t.Errorf("%q is taken", url)
		}
	}
}

func FuzzParseHeaders(f *testing.F) {
	for _, seed := range []string{"", "a=b", "Api-Key=x%20y, b = c ,", "=x", "a", "a=%zz", "a=%0d%0a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		headers, err := ParseHeaders(text)
		for name, value := range headers {
			if err != nil || name == "" || strings.ContainsAny(name+value, "\r\n") {
				t.Errorf("%q: %q: %q, %v", text, name, value, err)
			}
		}
	})
}
