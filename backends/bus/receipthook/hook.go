package receipthook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/mochibosh/mochibosh/backends/bus"
)

// Defaults, where [Options] leave a field zero.
const (
	DefaultTimeout = 5 * time.Second
	DefaultRetry   = 5 * time.Minute
)

const (
	firstPause   = time.Second
	longestPause = 30 * time.Second
	maxAnswer    = 4 << 10 // what is read of an answer, to use its connection again
)

// Options configure a [Hook].
type Options struct {
	// Secret signs. If it begins with "whsec_", the rest is the key in base64.
	// Empty: nothing is signed.
	Secret string
	// Timeout bounds one request.
	Timeout time.Duration
	// Retry is how long a request that failed is tried again. Negative: not at
	// all.
	Retry time.Duration
	// Observe, if set, is told of each request: how many receipts it had, how long
	// it took, and why it failed.
	Observe func(receipts int, took time.Duration, err error)
	// Tracing, if set, gets a span for each request, and the application is told
	// of it by traceparent.
	Tracing trace.TracerProvider
	// Client posts. Nil: one that follows no redirects.
	Client *http.Client
}

// A Hook posts receipts. Its Post is for bus.Options.OnReceipts. It may be used by
// many goroutines at once.
type Hook struct {
	url  string
	key  []byte
	opts Options

	tracer trace.Tracer // nil: nobody traces
}

// New returns a hook that posts to a URL. Nil options are the defaults.
func New(address string, opts *Options) (*Hook, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("%q is no URL such as https://app.example/receipts", address)
	}
	h := &Hook{url: address}
	if opts != nil {
		h.opts = *opts
	}
	h.key = []byte(h.opts.Secret)
	if coded, ok := strings.CutPrefix(h.opts.Secret, "whsec_"); ok {
		if h.key, err = base64.StdEncoding.DecodeString(coded); err != nil {
			return nil, fmt.Errorf("the secret after whsec_ is not base64: %w", err)
		}
	}
	if h.opts.Tracing != nil {
		h.tracer = h.opts.Tracing.Tracer(scope)
	}
	if h.opts.Timeout == 0 {
		h.opts.Timeout = DefaultTimeout
	}
	if h.opts.Retry == 0 {
		h.opts.Retry = DefaultRetry
	}
	if h.opts.Client == nil {
		h.opts.Client = &http.Client{
			Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, IdleConnTimeout: time.Minute},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return h, nil
}

// A refused error is the last word of the application.
type refused struct{ status int }

func (e refused) Error() string {
	return fmt.Sprintf("the application refused them with status %d", e.status)
}

// Post posts receipts until the application has taken them. Errors: it refused
// them, or could not be reached for Options.Retry; the context's.
func (h *Hook) Post(ctx context.Context, all []bus.Receipt) error {
	body, err := json.Marshal(map[string]any{"receipts": all})
	if err != nil {
		return err
	}
	id, began := "receipts_"+rand.Text(), time.Now()
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		start := time.Now()
		err := h.traced(ctx, id, body)
		if h.opts.Observe != nil {
			h.opts.Observe(len(all), time.Since(start), err)
		}
		if _, final := err.(refused); err == nil || final || time.Since(began)+pause > h.opts.Retry {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// try posts once.
func (h *Hook) try(ctx context.Context, id string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, h.opts.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	h.sign(r.Header, id, time.Now(), body)
	if h.tracer != nil {
		propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(r.Header))
	}
	resp, err := h.opts.Client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
	switch s := resp.StatusCode; {
	case s/100 == 2:
		return nil
	case s/100 == 4 && s != http.StatusRequestTimeout && s != http.StatusTooManyRequests:
		return refused{s}
	default:
		return fmt.Errorf("the application answered with status %d", s)
	}
}

// sign says who posts, and when.
func (h *Hook) sign(header http.Header, id string, now time.Time, body []byte) {
	header.Set("webhook-id", id)
	if len(h.key) == 0 {
		return
	}
	at := strconv.FormatInt(now.Unix(), 10)
	mac := hmac.New(sha256.New, h.key)
	fmt.Fprintf(mac, "%s.%s.", id, at)
	mac.Write(body)
	header.Set("webhook-timestamp", at)
	header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}
