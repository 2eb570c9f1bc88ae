package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mochibosh/mochibosh/auth"
	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/internal/bearer"
	"github.com/mochibosh/mochibosh/internal/origin"
	"github.com/mochibosh/mochibosh/internal/reqbody"
	"github.com/mochibosh/mochibosh/transport"
)

const (
	pathAdmin = "/admin/"
	// adminName begins the names of topics that only the admin page reads, and of
	// the users who look at it.
	adminName = auth.Reserved + "admin/"
	// maxAdminBody is enough for all that the page asks.
	maxAdminBody = 4 << 10
)

// An admin serves the page for who operates the server, to who has a key. It is a
// client of the event bus itself: with its key as token it reads its numbers there,
// and publishes. Nil: there is no such page.
type admin struct {
	gateway *gateway
	logger  *slog.Logger
	own     origin.Policy
	keys    atomic.Pointer[adminKeys]
	next    auth.Authenticator // of other tokens; nil: none is good
}

// newAdmin returns what serves the page; nil: there is no key for it.
func newAdmin(g *gateway) *admin {
	if g.settings.AdminKeyFile == "" {
		return nil
	}
	return &admin{gateway: g, logger: g.logger, own: origin.NewPolicy(nil)}
}

// ---- who may

// renew has other keys count, at once: whose key is gone is let go.
func (a *admin) renew(keys adminKeys) {
	before := a.keys.Swap(&keys)
	if before == nil {
		return
	}
	for _, k := range *before {
		if !slices.Contains(keys, k) {
			a.end(adminName + k.name)
		}
	}
}

// end ends the sessions of who had a key. Servers that have not read the keys again do so
// for others.
func (a *admin) end(user string) {
	if _, err := a.gateway.backend.bus.EndSessions(context.Background(), user, "", "this key is no longer good"); err != nil {
		a.logger.Warn("sessions of a key that is no longer good may go on elsewhere", "error", err)
	}
}

var (
	errAdminKey   = &auth.Error{Code: auth.Unauthorized, Text: "this is no key for the admin page"}
	errAdminPage  = &auth.Error{Code: auth.Forbidden, Text: "a key for the admin page is good on that page only"}
	errAdminNamed = &auth.Error{Code: auth.Unauthorized, Text: "no user has a name that begins with " + adminName}
)

// Authenticate implements auth.Authenticator: a key for the page is a token, too.
func (a *admin) Authenticate(ctx context.Context, token string) (*auth.Principal, error) {
	if !strings.HasPrefix(token, adminSecret) {
		if a.next == nil {
			return nil, &auth.Error{Code: auth.Unauthorized, Text: "tokens are not accepted here"}
		}
		p, err := a.next.Authenticate(ctx, token)
		if err == nil && p != nil && strings.HasPrefix(p.User, adminName) {
			return nil, errAdminNamed
		}
		return p, err
	}
	if foreign(ctx) {
		return nil, errAdminPage
	}
	name := a.keys.Load().find(token)
	if name == "" {
		return nil, errAdminKey
	}
	return &auth.Principal{User: adminName + name, Grants: auth.Grants{
		{Pattern: adminName + "*", Can: []auth.Capability{auth.Subscribe}},
		{Pattern: "*", Can: []auth.Capability{auth.Publish}},
	}}, nil
}

// authorize is a bus.Options.Authorize: the topics of the page are for nobody else,
// whatever allows it.
func (a *admin) authorize(_ context.Context, st *transport.Stream, op bus.Op, topic string) error {
	if !strings.HasPrefix(topic, adminName) {
		return nil
	}
	if user, _ := a.gateway.allowed.guard.Who(st.Session()); op != bus.OpSubscribe || !strings.HasPrefix(user, adminName) {
		return &bus.Error{Code: bus.Forbidden, Text: "this topic is for the admin page"}
	}
	return nil
}

// adminTopics are the settings of its topics: who comes late needs nothing of
// before.
var adminTopics = bus.TopicRule{Pattern: adminName + "*", History: -1, Slow: bus.DropOldest, ServerOnly: true, NoPresence: true, NoEvents: true}

type foreignKey struct{}

// marked notes which requests are of pages of other origins, which may be allowed to
// connect: but not with a key for the admin page.
func (a *admin) marked(next http.Handler) http.Handler {
	if a == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !a.own.Allows(r) {
			r = r.WithContext(context.WithValue(r.Context(), foreignKey{}, true))
		}
		next.ServeHTTP(w, r)
	})
}

func foreign(ctx context.Context) bool {
	is, _ := ctx.Value(foreignKey{}).(bool)
	return is
}

// ---- what is served

// page serves the files of the page. They say nothing that is secret, and the page
// loads nothing else, is in no frame, and makes no text into code.
func (a *admin) page(files fs.FS) http.Handler {
	next := pages(pathAdmin, files, adminPolicy)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

const adminPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// An adminCall does what the page asks.
type adminCall func(a *admin, who string, q *adminQuery) (any, error)

var adminCalls = map[string]adminCall{
	"sessions": (*admin).listSessions,
	"session":  (*admin).showSession,
	"end":      (*admin).endSession,
	"topics":   (*admin).listTopics,
	"slow":     (*admin).listSlow,
}

// adminQuery is what a call may say.
type adminQuery struct {
	After    string `json:"after"` // the last name of the page before
	Limit    int    `json:"limit"`
	Protocol string `json:"protocol"`
	User     string `json:"user"`
	Session  string `json:"session"`
	Reason   string `json:"reason"`
}

func adminPaths() (all []string) {
	for name := range adminCalls {
		all = append(all, pathAdmin+"api/"+name)
	}
	return all
}

// ServeHTTP answers calls of the page, and of nobody else's page.
func (a *admin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	answer, err := a.call(w, r)
	if err == nil {
		json.NewEncoder(w).Encode(answer)
		return
	}
	e := &adminError{status: http.StatusInternalServerError, Code: "internal", Message: "the server failed"}
	errors.As(err, &e)
	if e.after > 0 {
		h.Set("Retry-After", strconv.Itoa(int((e.after+time.Second-1)/time.Second)))
	}
	a.logger.InfoContext(r.Context(), "admin call refused", "path", r.URL.Path, "code", e.Code, "reason", e.Message)
	w.WriteHeader(e.status)
	json.NewEncoder(w).Encode(map[string]*adminError{"error": e})
}

// An adminError is a refusal.
type adminError struct {
	status  int
	after   time.Duration
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Error implements error.
func (e *adminError) Error() string { return e.Code + ": " + e.Message }

func (a *admin) call(w http.ResponseWriter, r *http.Request) (any, error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, &adminError{status: http.StatusMethodNotAllowed, Code: "method-not-allowed", Message: "only POST is allowed here"}
	}
	if !a.own.Allows(r) {
		return nil, &adminError{status: http.StatusForbidden, Code: "forbidden", Message: "pages of other origins may not call"}
	}
	attempts := a.gateway.attempts
	if after := attempts.Wait(r.Context()); after > 0 {
		return nil, &adminError{status: http.StatusTooManyRequests, after: after, Code: "too-many", Message: "too many sign-ins failed, try again later"}
	}
	who := a.keys.Load().find(bearer.Token(r.Header))
	if who == "" {
		attempts.Failed(r.Context())
		w.Header().Set("WWW-Authenticate", "Bearer")
		return nil, &adminError{status: http.StatusUnauthorized, Code: "unauthorized", Message: errAdminKey.Text}
	}
	s := a.gateway.settings
	body, err := reqbody.Read(w, r, reqbody.Limits{Max: maxAdminBody, Timeout: s.BodyTimeout, Rate: s.BodyRate})
	q := new(adminQuery)
	if err != nil || json.Unmarshal(body, q) != nil {
		w.Header().Set("Connection", "close")
		return nil, &adminError{status: http.StatusBadRequest, Code: "bad-request", Message: "the body is no JSON object of the admin page"}
	}
	if q.Limit <= 0 || q.Limit > s.AdminMaxRows {
		q.Limit = s.AdminMaxRows
	}
	return adminCalls[strings.TrimPrefix(r.URL.Path, pathAdmin+"api/")](a, who, q)
}
