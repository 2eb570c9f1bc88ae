package otlp

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/sdk/trace"
)

// Options configure an [Exporter].
type Options struct {
	// Headers are sent with each request, as collectors want them to know who
	// sends.
	Headers map[string]string
	// Timeout bounds one request. Zero: ten seconds, as OTLP has it.
	Timeout time.Duration
	// Client posts. Nil: one that follows no redirects.
	Client *http.Client
}

// An Exporter posts spans. It is a trace.SpanExporter, which one goroutine uses at a
// time.
type Exporter struct {
	url  string
	opts Options
}

// firstPause is how long a collector is left alone that cannot take spans now, and
// does not say how long; the next time it is twice as long.
const (
	firstPause = time.Second
	maxAnswer  = 4 << 10 // what is read of an answer, to use its connection again
)

// New returns an exporter that posts to v1/traces below a URL. Nil options are the
// defaults.
func New(endpoint string, opts *Options) (*Exporter, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("%q is no URL such as http://127.0.0.1:4318", endpoint)
	}
	e := &Exporter{url: strings.TrimSuffix(endpoint, "/") + "/v1/traces"}
	if opts != nil {
		e.opts = *opts
	}
	if e.opts.Timeout == 0 {
		e.opts.Timeout = 10 * time.Second
	}
	if e.opts.Client == nil {
		e.opts.Client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	return e, nil
}

// ParseHeaders reads headers as OTEL_EXPORTER_OTLP_HEADERS has them:
// name=value,name=value, with values that are percent-encoded.
func ParseHeaders(text string) (map[string]string, error) {
	headers := make(map[string]string)
	for _, pair := range strings.Split(text, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if name = strings.TrimSpace(name); !ok || name == "" || err != nil || strings.ContainsAny(name+value, "\r\n") {
			return nil, fmt.Errorf("%q is no header such as name=value", name) // the value may be secret
		}
		headers[name] = value
	}
	return headers, nil
}

// ExportSpans implements trace.SpanExporter. It tries again until the context is
// done, where the collector cannot take them now.
func (e *Exporter) ExportSpans(ctx context.Context, spans []trace.ReadOnlySpan) error {
	if len(spans) == 0 {
		return nil
	}
	body, err := json.Marshal(encode(spans))
	if err != nil {
		return err
	}
	for pause := firstPause; ; pause *= 2 {
		later, err := e.post(ctx, body)
		if err == nil || later < 0 {
			return err
		}
		if later == 0 {
			later = pause
		}
		select {
		case <-time.After(later):
		case <-ctx.Done():
			return fmt.Errorf("otlp: %w: %w", context.Cause(ctx), err)
		}
	}
}

// post posts once. An error comes with how long to wait before the next try: zero,
// if nobody says, and less if there is to be none.
func (e *Exporter) post(ctx context.Context, body []byte) (later time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, e.opts.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(body))
	if err != nil {
		return -1, err
	}
	for name, value := range e.opts.Headers {
		r.Header.Set(name, value)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := e.opts.Client.Do(r)
	if err != nil {
		return 0, fmt.Errorf("otlp: %w", err)
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
	switch resp.StatusCode {
	case http.StatusOK:
		return 0, nil
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		later = max(0, min(time.Duration(seconds)*time.Second, time.Minute))
	default:
		later = -1
	}
	return later, fmt.Errorf("otlp: the collector answered with %s", resp.Status)
}

// Shutdown implements trace.SpanExporter: there is nothing to shut.
func (e *Exporter) Shutdown(context.Context) error { return nil }
