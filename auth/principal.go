package auth

import (
	"context"
	"encoding/json"
	"time"

	"github.com/mochibosh/mochibosh/transport"
)

const (
	// MaxUser bounds the bytes of a user's name.
	MaxUser = 150
	// MaxToken bounds the bytes of a token.
	MaxToken = 16 << 10
)

// A Principal is who a client is, and what its token lets it do. It is never
// modified. The zero value is nobody in particular, who may do what the rules
// let everybody do.
type Principal struct {
	// User is the name of the user. Empty: nobody in particular.
	User string
	// Grants are those of the token.
	Grants Grants
	// Expires is when the token ends. Zero: never.
	Expires time.Time
}

type contextKey struct{}

// NewContext returns a context that says who the client is, to the session core
// too.
func NewContext(ctx context.Context, p *Principal) context.Context {
	if p.User != "" {
		ctx = transport.WithUser(ctx, p.User)
	}
	return context.WithValue(ctx, contextKey{}, p)
}

// FromContext returns who the client is, as a carrier found out; nil: nobody
// asked.
func FromContext(ctx context.Context) *Principal {
	p, _ := ctx.Value(contextKey{}).(*Principal)
	return p
}

// Attr is the session attribute that keeps the principal.
const Attr = "auth"

// attribute is a principal as the attribute has it.
type attribute struct {
	User    string `json:"user,omitempty"`
	Grants  Grants `json:"grants,omitempty"`
	Expires int64  `json:"expires,omitempty"` // Unix milliseconds
}

func (p *Principal) encode() string {
	a := attribute{User: p.User, Grants: p.Grants}
	if !p.Expires.IsZero() {
		a.Expires = p.Expires.UnixMilli()
	}
	b, err := json.Marshal(a)
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	return string(b)
}

// decode reads an attribute. What was never one is nobody.
func decode(s string) *Principal {
	var a attribute
	if json.Unmarshal([]byte(s), &a) != nil {
		return &Principal{}
	}
	p := &Principal{User: a.User, Grants: a.Grants}
	if a.Expires != 0 {
		p.Expires = time.UnixMilli(a.Expires)
	}
	return p
}

// An Authenticator makes a principal of a token, which is never empty. It may
// be called by many goroutines at once, and should be done within the life of
// the context. An *[Error] says what is wrong with the token; any other error
// counts as Unavailable.
type Authenticator interface {
	Authenticate(ctx context.Context, token string) (*Principal, error)
}

// An AuthenticatorFunc is an Authenticator made of its function.
type AuthenticatorFunc func(ctx context.Context, token string) (*Principal, error)

// Authenticate calls f.
func (f AuthenticatorFunc) Authenticate(ctx context.Context, token string) (*Principal, error) {
	return f(ctx, token)
}
