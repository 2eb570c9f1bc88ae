package webtoken

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/mochibosh/mochibosh/auth"
)

// Defaults, where [Options] leave a field zero.
const (
	DefaultLeeway   = 30 * time.Second
	DefaultMaxBytes = 8 << 10
)

// Options configure a [Verifier].
type Options struct {
	// Keys are those that never change; see [Verifier.SetKeys].
	Keys []Key
	// Remote are keys at a URL. Nil: none.
	Remote *Remote
	// Issuer is what iss must be. Empty: anything.
	Issuer string
	// Audience is what must be among aud. Empty: anything.
	Audience string
	// Leeway is how far clocks may differ. A token is good for so much longer.
	// Zero: DefaultLeeway. Negative: none.
	Leeway time.Duration
	// NoExpiry takes tokens without exp, too.
	NoExpiry bool
	// MaxBytes bounds a token. Zero: DefaultMaxBytes.
	MaxBytes int
}

// A Verifier is an [auth.Authenticator] for JSON Web Tokens. It may be used by
// many goroutines at once.
type Verifier struct {
	opts   Options
	keys   atomic.Pointer[[]Key]
	parser *jwt.Parser
}

// NewVerifier returns a verifier. Without any key, no token is good.
func NewVerifier(opts *Options) *Verifier {
	v := &Verifier{}
	if opts != nil {
		v.opts = *opts
	}
	if v.opts.Leeway == 0 {
		v.opts.Leeway = DefaultLeeway
	}
	v.opts.Leeway = max(0, v.opts.Leeway)
	if v.opts.MaxBytes == 0 {
		v.opts.MaxBytes = DefaultMaxBytes
	}
	v.SetKeys(v.opts.Keys)
	rules := []jwt.ParserOption{
		jwt.WithLeeway(v.opts.Leeway),
		jwt.WithStrictDecoding(),
		// "none" is not among these, and keys decide which of them.
		jwt.WithValidMethods([]string{"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}),
	}
	if !v.opts.NoExpiry {
		rules = append(rules, jwt.WithExpirationRequired())
	}
	if v.opts.Issuer != "" {
		rules = append(rules, jwt.WithIssuer(v.opts.Issuer))
	}
	if v.opts.Audience != "" {
		rules = append(rules, jwt.WithAudience(v.opts.Audience))
	}
	v.parser = jwt.NewParser(rules...)
	return v
}

// SetKeys replaces Options.Keys. Sessions that signed in before stay.
func (v *Verifier) SetKeys(keys []Key) {
	keys = slices.Clone(keys)
	v.keys.Store(&keys)
}

// claims are those that we know.
type claims struct {
	jwt.RegisteredClaims
	Topics auth.Grants `json:"topics"`
}

// Authenticate implements [auth.Authenticator].
func (v *Verifier) Authenticate(ctx context.Context, token string) (*auth.Principal, error) {
	if len(token) > v.opts.MaxBytes {
		return nil, &auth.Error{Code: auth.Unauthorized, Text: "the token is too long"}
	}
	var c claims
	if _, err := v.parser.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) { return v.fitting(ctx, t) }); err != nil {
		return nil, refusal(err)
	}
	p := &auth.Principal{User: c.Subject, Grants: c.Topics}
	if c.ExpiresAt != nil {
		p.Expires = c.ExpiresAt.Add(v.opts.Leeway)
	}
	return p, nil
}

// fitting returns the keys that may have signed a token.
func (v *Verifier) fitting(ctx context.Context, t *jwt.Token) (any, error) {
	id, _ := t.Header["kid"].(string)
	var set jwt.VerificationKeySet
	add := func(keys []Key) {
		for _, k := range keys {
			if k.fits(id, t.Method.Alg()) {
				set.Keys = append(set.Keys, k.material)
			}
		}
	}
	add(*v.keys.Load())
	if len(set.Keys) == 0 && v.opts.Remote != nil {
		keys, err := v.opts.Remote.keys(ctx, func(k Key) bool { return k.fits(id, t.Method.Alg()) })
		if err != nil {
			return nil, err
		}
		add(keys)
	}
	if len(set.Keys) == 0 {
		return nil, &auth.Error{Code: auth.Unauthorized, Text: "no key of ours has signed the token"}
	}
	return set, nil
}

// fits reports whether a token that says this of itself may be of this key.
func (k Key) fits(id, algorithm string) bool {
	switch {
	case id != "" && k.ID != "" && id != k.ID:
		return false
	case k.Algorithm != "":
		return k.Algorithm == algorithm
	}
	return slices.Contains(algorithmsOf(k.material), algorithm)
}

// refusal says what is wrong with a token, without anything of it.
func refusal(err error) error {
	var own *auth.Error
	if errors.As(err, &own) {
		return own
	}
	e := &auth.Error{Code: auth.Unauthorized, Err: err}
	switch {
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		e.Text = "the token's signature is wrong"
	case errors.Is(err, jwt.ErrTokenMalformed):
		e.Text = "this is no token, or it says what we do not understand"
	case errors.Is(err, jwt.ErrTokenExpired):
		e.Code, e.Text = auth.Expired, "the token has expired"
	case errors.Is(err, jwt.ErrTokenNotValidYet), errors.Is(err, jwt.ErrTokenUsedBeforeIssued):
		e.Text = "the token is not valid yet"
	case errors.Is(err, jwt.ErrTokenInvalidAudience):
		e.Text = "the token is for another audience"
	case errors.Is(err, jwt.ErrTokenInvalidIssuer):
		e.Text = "the token is of another issuer"
	case errors.Is(err, jwt.ErrTokenRequiredClaimMissing):
		e.Text = "the token lacks something, such as when it expires"
	default:
		e.Text = "the token is not good"
	}
	return e
}
