package webtoken

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
)

// MaxKeys bounds the keys of one set.
const MaxKeys = 100

// A jwk is a JSON Web Key, as far as it is for verifying (RFC 7517, RFC 7518
// §6, RFC 8037).
type jwk struct {
	Kty, Kid, Alg, Use string
	Crv, X, Y          string // EC and OKP
	N, E               string // RSA
	K                  string // oct
}

// parseSet reads a JWK set, or a single key. Keys for something else, or of a
// kind that we do not know, are left out, as RFC 7517 §5 has it; so are
// secrets, unless they are allowed: what is at a URL is none.
func parseSet(data []byte, secrets bool) ([]Key, error) {
	var set struct {
		Keys []json.RawMessage
		Kty  string
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, fmt.Errorf("not a JWK set: %w", err)
	}
	if set.Kty != "" {
		set.Keys = []json.RawMessage{data}
	}
	if len(set.Keys) > MaxKeys {
		return nil, fmt.Errorf("more than %d keys in the JWK set", MaxKeys)
	}
	var all []Key
	var errs []error
	for _, raw := range set.Keys {
		k, err := parseJWK(raw, secrets)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, k)
	}
	if len(all) == 0 {
		return nil, errors.Join(append([]error{errors.New("no key in the JWK set is for verifying tokens")}, errs...)...)
	}
	return all, nil
}

func parseJWK(raw []byte, secrets bool) (Key, error) {
	var j jwk
	if err := json.Unmarshal(raw, &j); err != nil {
		return Key{}, fmt.Errorf("not a JWK: %w", err)
	}
	if j.Use != "" && j.Use != "sig" {
		return Key{}, fmt.Errorf("key %q is for %q", j.Kid, j.Use)
	}
	material, err := j.material(secrets)
	if err != nil {
		return Key{}, fmt.Errorf("key %q: %w", j.Kid, err)
	}
	k, err := NewKey(material)
	if err != nil {
		return Key{}, fmt.Errorf("key %q: %w", j.Kid, err)
	}
	if j.Alg != "" && !slices.Contains(algorithmsOf(k.material), j.Alg) {
		return Key{}, fmt.Errorf("key %q is not for %s", j.Kid, j.Alg)
	}
	k.ID, k.Algorithm = j.Kid, j.Alg
	return k, nil
}

func (j *jwk) material(secrets bool) (any, error) {
	switch {
	case j.Kty == "RSA":
		return j.rsa()
	case j.Kty == "EC":
		return j.ecdsa()
	case j.Kty == "OKP" && j.Crv == "Ed25519":
		x, err := decode("x", j.X)
		if err == nil && len(x) != ed25519.PublicKeySize {
			err = errors.New("x has the wrong length")
		}
		return ed25519.PublicKey(x), err
	case j.Kty == "oct" && secrets:
		return decode("k", j.K)
	}
	return nil, fmt.Errorf("kind %q is not for us", j.Kty)
}

func (j *jwk) rsa() (any, error) {
	n, err := decode("n", j.N)
	if err != nil {
		return nil, err
	}
	e, err := decode("e", j.E)
	if err != nil {
		return nil, err
	}
	exponent := new(big.Int).SetBytes(e)
	if len(e) > 4 || exponent.Int64() < 3 || exponent.Int64() >= 1<<31 || exponent.Bit(0) == 0 {
		return nil, errors.New("e is no exponent")
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(exponent.Int64())}, nil
}

func (j *jwk) ecdsa() (any, error) {
	curves := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}
	curve := curves[j.Crv]
	if curve == nil {
		return nil, fmt.Errorf("curve %q is not for us", j.Crv)
	}
	x, err := decode("x", j.X)
	if err != nil {
		return nil, err
	}
	y, err := decode("y", j.Y)
	if err != nil {
		return nil, err
	}
	size := (curve.Params().BitSize + 7) / 8
	if len(x) != size || len(y) != size {
		return nil, errors.New("x or y has the wrong length")
	}
	// The check that the point is on the curve is in here.
	return ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, x, y))
}

func decode(name, s string) ([]byte, error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) == 0 {
		return nil, fmt.Errorf("%s is not in base64url", name)
	}
	return b, nil
}
