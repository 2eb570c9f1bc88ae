package webtoken

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/mochibosh/mochibosh/auth"
)

var (
	secret      = []byte("a secret of thirty-two bytes ..!")
	rsaKey      = must(rsa.GenerateKey(rand.Reader, 2048))
	p256        = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	p384        = must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	p521        = must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))
	_, ed, _    = ed25519.GenerateKey(rand.Reader)
	otherSecret = []byte("another secret of 32 bytes here!")
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// good are claims without a fault.
func good() jwt.MapClaims {
	return jwt.MapClaims{"sub": "ann", "exp": time.Now().Add(time.Hour).Unix()}
}

func sign(t testing.TB, m jwt.SigningMethod, key any, c jwt.MapClaims, header ...string) string {
	t.Helper()
	token := jwt.NewWithClaims(m, c)
	for i := 0; i+1 < len(header); i += 2 {
		token.Header[header[i]] = header[i+1]
	}
	s, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func key(t testing.TB, material any) Key {
	t.Helper()
	k, err := NewKey(material)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func wantCode(t *testing.T, err error, code auth.Code) {
	t.Helper()
	var e *auth.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Errorf("got %v, want %s", err, code)
	}
}

// A publicKey is one in PEM.
func publicKey(t testing.TB, k crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func TestEveryAlgorithm(t *testing.T) {
	for _, tt := range []struct {
		method jwt.SigningMethod
		sign   any
		file   []byte
	}{
		{jwt.SigningMethodHS256, secret, append(secret, '\n')},
		{jwt.SigningMethodHS384, secret, secret},
		{jwt.SigningMethodHS512, secret, secret},
		{jwt.SigningMethodRS256, rsaKey, publicKey(t, &rsaKey.PublicKey)},
		{jwt.SigningMethodRS512, rsaKey, publicKey(t, &rsaKey.PublicKey)},
		{jwt.SigningMethodPS256, rsaKey, publicKey(t, &rsaKey.PublicKey)},
		{jwt.SigningMethodES256, p256, publicKey(t, &p256.PublicKey)},
		{jwt.SigningMethodES384, p384, publicKey(t, &p384.PublicKey)},
		{jwt.SigningMethodES512, p521, publicKey(t, &p521.PublicKey)},
		{jwt.SigningMethodEdDSA, ed, publicKey(t, ed.Public())},
	} {
		t.Run(tt.method.Alg(), func(t *testing.T) {
			keys, err := ParseKeys(tt.file)
			if err != nil {
				t.Fatal(err)
			}
			v := NewVerifier(&Options{Keys: keys})
			token := sign(t, tt.method, tt.sign, good())
			p, err := v.Authenticate(t.Context(), token)
			if err != nil || p.User != "ann" {
				t.Fatalf("%+v, %v", p, err)
			}
			parts := strings.Split(token, ".")
			signature := must(base64.RawURLEncoding.DecodeString(parts[2]))
			signature[0] ^= 1
			parts[2] = base64.RawURLEncoding.EncodeToString(signature)
			_, err = v.Authenticate(t.Context(), strings.Join(parts, "."))
			wantCode(t, err, auth.Unauthorized)
		})
	}
}

func TestTokensThatAreNoGood(t *testing.T) {
	v := NewVerifier(&Options{Keys: []Key{key(t, secret), key(t, &rsaKey.PublicKey), key(t, &p256.PublicKey)}, Issuer: "app", Audience: "push", MaxBytes: 2000})
	claims := func(more ...any) jwt.MapClaims {
		c := good()
		c["iss"], c["aud"] = "app", []string{"mail", "push"}
		for i := 0; i < len(more); i += 2 {
			if c[more[i].(string)] = more[i+1]; more[i+1] == nil {
				delete(c, more[i].(string))
			}
		}
		return c
	}
	hs := func(c jwt.MapClaims) string { return sign(t, jwt.SigningMethodHS256, secret, c) }
	if _, err := v.Authenticate(t.Context(), hs(claims())); err != nil {
		t.Fatal(err)
	}
	unsigned := sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, claims())
	parts := strings.Split(hs(claims()), ".")
	many := map[string][]string{}
	for i := range auth.MaxGrants + 1 {
		many[fmt.Sprint(i)] = nil
	}
	for name, tt := range map[string]struct {
		token string
		code  auth.Code
		text  string
	}{
		"no token":                      {"nonsense", auth.Unauthorized, "no token"},
		"two parts":                     {parts[0] + "." + parts[1], auth.Unauthorized, "no token"},
		"no signature":                  {parts[0] + "." + parts[1] + ".", auth.Unauthorized, "signature"},
		"alg none":                      {unsigned, auth.Unauthorized, "signature"},
		"alg None":                      {encode(`{"alg":"None"}`) + "." + parts[1] + ".", auth.Unauthorized, ""},
		"alg none with a signature":     {encode(`{"alg":"none"}`) + "." + parts[1] + "." + parts[2], auth.Unauthorized, ""},
		"alg that is a number":          {encode(`{"alg":256}`) + "." + parts[1] + "." + parts[2], auth.Unauthorized, ""},
		"another secret":                {sign(t, jwt.SigningMethodHS256, otherSecret, claims()), auth.Unauthorized, "signature"},
		"a public key as a secret":      {sign(t, jwt.SigningMethodHS256, publicKey(t, &rsaKey.PublicKey), claims()), auth.Unauthorized, "signature"},
		"a kind that we have no key of": {sign(t, jwt.SigningMethodEdDSA, ed, claims()), auth.Unauthorized, "no key of ours"},
		"a curve that we have none of":  {sign(t, jwt.SigningMethodES384, p384, claims()), auth.Unauthorized, "no key of ours"},
		"expired":                       {hs(claims("exp", time.Now().Add(-time.Hour).Unix())), auth.Expired, "expired"},
		"never expiring":                {hs(claims("exp", nil)), auth.Unauthorized, "when it expires"},
		"expiring some time":            {hs(claims("exp", "tomorrow")), auth.Unauthorized, ""},
		"not valid yet":                 {hs(claims("nbf", time.Now().Add(time.Hour).Unix())), auth.Unauthorized, "not valid yet"},
		"for another audience":          {hs(claims("aud", "mail")), auth.Unauthorized, "audience"},
		"for no audience":               {hs(claims("aud", nil)), auth.Unauthorized, ""},
		"of another issuer":             {hs(claims("iss", "evil")), auth.Unauthorized, "issuer"},
		"of no issuer":                  {hs(claims("iss", nil)), auth.Unauthorized, ""},
		"a topic with * in its middle":  {hs(claims("topics", map[string][]string{"a*b": {"publish"}})), auth.Unauthorized, "understand"},
		"a capability that is none":     {hs(claims("topics", map[string][]string{"a": {"fly"}})), auth.Unauthorized, "understand"},
		"topics that are a list":        {hs(claims("topics", []string{"a"})), auth.Unauthorized, "understand"},
		"too many topics":               {hs(claims("topics", many)), auth.Unauthorized, "understand"},
		"too long":                      {hs(claims("x", strings.Repeat("x", 2000))), auth.Unauthorized, "too long"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := v.Authenticate(t.Context(), tt.token)
			wantCode(t, err, tt.code)
			var e *auth.Error
			if errors.As(err, &e) && !strings.Contains(e.Text, tt.text) {
				t.Errorf("says %q, want %q in it", e.Text, tt.text)
			}
		})
	}
	t.Run("without keys none is", func(t *testing.T) {
		_, err := NewVerifier(nil).Authenticate(t.Context(), hs(claims()))
		wantCode(t, err, auth.Unauthorized)
	})
}

func encode(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func TestGrantsOfATokenAndItsLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := NewVerifier(&Options{Keys: []Key{key(t, secret)}, Leeway: 10 * time.Second})
		c := good()
		c["topics"] = map[string][]string{"chat/{user}/*": {"publish", "history"}}
		token := sign(t, jwt.SigningMethodHS256, secret, c)
		p, err := v.Authenticate(t.Context(), token)
		if err != nil || len(p.Grants) != 1 || !p.Grants[0].Allows(auth.History, "chat/ann/x", p.User) || p.Grants[0].Allows(auth.Subscribe, "chat/ann/x", p.User) {
			t.Errorf("%+v, %v", p, err)
		}
		if left := time.Until(p.Expires); left != time.Hour+10*time.Second {
			t.Errorf("it expires in %v", left)
		}
		time.Sleep(time.Hour + 9*time.Second)
		if _, err := v.Authenticate(t.Context(), token); err != nil {
			t.Errorf("within the leeway: %v", err)
		}
		time.Sleep(2 * time.Second)
		_, err = v.Authenticate(t.Context(), token)
		wantCode(t, err, auth.Expired)
	})
}

func TestKeysAreChosenByTheirIDs(t *testing.T) {
	a, b := key(t, secret), key(t, otherSecret)
	a.ID, b.ID = "a", "b"
	v := NewVerifier(&Options{Keys: []Key{a, b}})
	for _, tt := range []struct {
		name   string
		secret []byte
		kid    string
		ok     bool
	}{
		{"the key that it names", secret, "a", true},
		{"the other one", otherSecret, "b", true},
		{"signed with another than it names", secret, "b", false},
		{"a key that we do not have", secret, "c", false},
	} {
		_, err := v.Authenticate(t.Context(), sign(t, jwt.SigningMethodHS256, tt.secret, good(), "kid", tt.kid))
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if _, err := v.Authenticate(t.Context(), sign(t, jwt.SigningMethodHS256, otherSecret, good())); err != nil {
		t.Errorf("without a name all are tried: %v", err)
	}
	v.SetKeys([]Key{a})
	_, err := v.Authenticate(t.Context(), sign(t, jwt.SigningMethodHS256, otherSecret, good()))
	wantCode(t, err, auth.Unauthorized)
}

func TestKeysThatAreNoGood(t *testing.T) {
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(ed))})
	p224 := must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))
	for name, file := range map[string][]byte{
		"nothing":                 nil,
		"a short secret":          []byte("secret\n"),
		"a private key":           private,
		"a curve that is no use":  publicKey(t, &p224.PublicKey),
		"no key in PEM":           []byte("-----BEGIN NOTHING"),
		"an empty set":            []byte(`{"keys":[]}`),
		"a set of something else": []byte(`{"keys":[{"kty":"RSA","use":"enc"},{"kty":"x"}]}`),
		"a set of nonsense":       []byte(`{"keys":[1]}`),
		"a point off the curve":   []byte(`{"kty":"EC","crv":"P-256","x":"` + strings.Repeat("A", 43) + `","y":"` + strings.Repeat("A", 43) + `"}`),
		"a short RSA key":         []byte(`{"kty":"RSA","n":"AQAB","e":"AQAB"}`),
		"an even exponent":        []byte(`{"kty":"RSA","n":"` + base64.RawURLEncoding.EncodeToString(rsaKey.N.Bytes()) + `","e":"BA"}`),
		"for another algorithm":   []byte(`{"kty":"oct","alg":"RS256","k":"` + base64.RawURLEncoding.EncodeToString(secret) + `"}`),
	} {
		if keys, err := ParseKeys(file); err == nil {
			t.Errorf("%s is taken as %v", name, keys)
		}
	}
	if _, err := parseSet([]byte(`{"keys":[{"kty":"oct","k":"`+base64.RawURLEncoding.EncodeToString(secret)+`"}]}`), false); err == nil {
		t.Error("a secret from a URL is taken")
	}
}

// set returns a JWK set of public keys, in the given order.
func set(t testing.TB, ids ...string) []byte {
	t.Helper()
	keys := map[string]map[string]any{
		"rsa":  {"kty": "RSA", "n": base64.RawURLEncoding.EncodeToString(rsaKey.N.Bytes()), "e": "AQAB", "alg": "RS256", "use": "sig"},
		"p256": point(&p256.PublicKey, "P-256"),
		"p384": point(&p384.PublicKey, "P-384"),
		"ed":   {"kty": "OKP", "crv": "Ed25519", "x": base64.RawURLEncoding.EncodeToString(ed.Public().(ed25519.PublicKey))},
		"enc":  {"kty": "RSA", "use": "enc"},
	}
	var all []map[string]any
	for _, id := range ids {
		keys[id]["kid"] = id
		all = append(all, keys[id])
	}
	return must(json.Marshal(map[string]any{"keys": all}))
}

func point(k *ecdsa.PublicKey, curve string) map[string]any {
	b := must(k.Bytes())[1:]
	return map[string]any{
		"kty": "EC", "crv": curve,
		"x": base64.RawURLEncoding.EncodeToString(b[:len(b)/2]), "y": base64.RawURLEncoding.EncodeToString(b[len(b)/2:]),
	}
}

func TestJWKSets(t *testing.T) {
	keys, err := ParseKeys(set(t, "rsa", "enc", "p256", "p384", "ed"))
	if err != nil || len(keys) != 4 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	v := NewVerifier(&Options{Keys: keys})
	for id, token := range map[string]string{
		"rsa":  sign(t, jwt.SigningMethodRS256, rsaKey, good(), "kid", "rsa"),
		"p256": sign(t, jwt.SigningMethodES256, p256, good(), "kid", "p256"),
		"p384": sign(t, jwt.SigningMethodES384, p384, good()),
		"ed":   sign(t, jwt.SigningMethodEdDSA, ed, good()),
	} {
		if _, err := v.Authenticate(context.Background(), token); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	// Its alg binds the key: RFC 7517 §4.4.
	_, err = v.Authenticate(t.Context(), sign(t, jwt.SigningMethodRS512, rsaKey, good()))
	wantCode(t, err, auth.Unauthorized)
}

func FuzzParseKeys(f *testing.F) {
	f.Add(set(f, "rsa", "p256", "ed"))
	f.Add(publicKey(f, &p256.PublicKey))
	f.Add(secret)
	f.Add([]byte(`{"kty":"oct","k":"AAAA"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := ParseKeys(data)
		for _, k := range keys {
			if err == nil && algorithmsOf(k.material) == nil {
				t.Errorf("a %T verifies nothing", k.material)
			}
		}
	})
}

func FuzzAuthenticate(f *testing.F) {
	v := NewVerifier(&Options{Keys: []Key{key(f, secret), key(f, &p256.PublicKey)}})
	f.Add(sign(f, jwt.SigningMethodHS256, otherSecret, good()))
	f.Add(sign(f, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, good()))
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, token string) {
		if p, err := v.Authenticate(context.Background(), token); err == nil {
			t.Errorf("%q is of %v", token, p)
		}
	})
}
