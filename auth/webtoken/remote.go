package webtoken

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/mochibosh/mochibosh/auth"
)

// Defaults, where [RemoteOptions] leave a field zero.
const (
	DefaultRefresh    = 10 * time.Minute
	DefaultMinRefresh = 30 * time.Second
	DefaultMaxStale   = 24 * time.Hour
	DefaultTimeout    = 5 * time.Second
	DefaultMaxSet     = 256 << 10
)

// RemoteOptions configure a [Remote].
type RemoteOptions struct {
	// Refresh is how old the keys may be before they are fetched again.
	Refresh time.Duration
	// MinRefresh is the shortest time between two fetches, whatever kid tokens
	// come with.
	MinRefresh time.Duration
	// MaxStale is how long keys are good that cannot be fetched again.
	MaxStale time.Duration
	// Timeout bounds one fetch.
	Timeout time.Duration
	// MaxSet bounds the bytes of the set.
	MaxSet int
	// Client fetches. Nil: one that follows no redirects.
	Client *http.Client
	// Logger takes fetches that failed (Warn). Nil: no logs.
	Logger *slog.Logger
}

// A Remote is a JWK set at a URL. It is fetched when it is needed first, when
// it is old, and when a token names a key that is not in it; while that
// fails, the keys from before are good. It may be used by many goroutines at
// once.
type Remote struct {
	url  string
	opts RemoteOptions

	mu      sync.Mutex
	set     []Key
	fetched time.Time     // when set came
	tried   time.Time     // when the last fetch began
	err     error         // of the last fetch
	busy    chan struct{} // closed when the fetch under way is over; nil: none is
}

// NewRemote returns a set that was not fetched yet. The URL is https, or leads
// to this machine. Nil options are the defaults.
func NewRemote(address string, opts *RemoteOptions) (*Remote, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())) {
		return nil, fmt.Errorf("%q is no URL that begins with https://", address)
	}
	r := &Remote{url: address}
	if opts != nil {
		r.opts = *opts
	}
	o := &r.opts
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&o.Refresh, DefaultRefresh}, {&o.MinRefresh, DefaultMinRefresh}, {&o.MaxStale, DefaultMaxStale}, {&o.Timeout, DefaultTimeout},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if o.MaxSet == 0 {
		o.MaxSet = DefaultMaxSet
	}
	if o.Client == nil {
		o.Client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return r, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// keys returns the set. It waits for it only if no key that is there is
// wanted.
func (r *Remote) keys(ctx context.Context, wanted func(Key) bool) ([]Key, error) {
	for {
		set, wait, err := r.look(time.Now(), wanted)
		if wait == nil {
			return set, err
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// look returns the set, or what to wait for.
func (r *Remote) look(now time.Time, wanted func(Key) bool) (set []Key, wait <-chan struct{}, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.fetched) > r.opts.MaxStale {
		r.set = nil
	}
	found := slices.ContainsFunc(r.set, wanted)
	old := r.set == nil || now.Sub(r.fetched) >= r.opts.Refresh || !found
	if old && r.busy == nil && (r.tried.IsZero() || now.Sub(r.tried) >= r.opts.MinRefresh) {
		r.tried, r.busy = now, make(chan struct{})
		go r.fetch()
	}
	switch {
	case found:
		return r.set, nil, nil
	case r.busy != nil:
		return nil, r.busy, nil
	case r.set == nil:
		return nil, nil, &auth.Error{Code: auth.Unavailable, Text: "the keys cannot be fetched", Err: r.err}
	}
	return r.set, nil, nil
}

func (r *Remote) fetch() {
	set, err := r.get()
	if err != nil {
		r.opts.Logger.Warn("keys for tokens not fetched", "url", r.url, "error", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err = err; err == nil {
		r.set, r.fetched = set, time.Now()
	}
	close(r.busy)
	r.busy = nil
}

func (r *Remote) get() ([]Key, error) {
	ctx, cancel := context.WithTimeout(context.Background(), r.opts.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := r.opts.Client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("answered with %s", resp.Status)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, int64(r.opts.MaxSet)+1))
	if err != nil {
		return nil, err
	}
	if len(data) > r.opts.MaxSet {
		return nil, errors.New("the JWK set is too long")
	}
	return parseSet(data, false)
}
