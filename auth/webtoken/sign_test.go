package webtoken

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/auth"
)

// A privateKey is one in PEM.
func privateKey(t testing.TB, k crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func TestWhatIsSignedIsVerified(t *testing.T) {
	want := &auth.Principal{
		User:    "ann",
		Grants:  auth.Grants{{Pattern: "chat/*", Can: []auth.Capability{auth.Subscribe, auth.Publish}}},
		Expires: time.Now().Add(time.Hour).Truncate(time.Second),
	}
	for name, files := range map[string][2][]byte{
		"a secret": {secret, secret},
		"RSA":      {privateKey(t, rsaKey), publicKey(t, rsaKey.Public())},
		"P-256":    {privateKey(t, p256), publicKey(t, p256.Public())},
		"P-384":    {privateKey(t, p384), publicKey(t, p384.Public())},
		"P-521":    {privateKey(t, p521), publicKey(t, p521.Public())},
		"Ed25519":  {privateKey(t, ed), publicKey(t, ed.Public())},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := ParseSigner(files[0])
			if err != nil {
				t.Fatal(err)
			}
			s.Issuer, s.Audience = "app", "push"
			token, err := s.Sign(want)
			if err != nil {
				t.Fatal(err)
			}
			keys, err := ParseKeys(files[1])
			if err != nil {
				t.Fatal(err)
			}
			got, err := NewVerifier(&Options{Keys: keys, Issuer: "app", Audience: "push", Leeway: -1}).Authenticate(t.Context(), token)
			if err != nil || got.User != want.User || !got.Expires.Equal(want.Expires) || !reflect.DeepEqual(got.Grants, want.Grants) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
	for name, file := range map[string][]byte{
		"a public key":   publicKey(t, p256.Public()),
		"a JWK set":      set(t, "rsa"),
		"a short secret": []byte("short"),
		"nothing":        nil,
		"broken PEM":     []byte(strings.Replace(string(privateKey(t, p256)), "M", "!", 1)),
	} {
		if _, err := ParseSigner(file); err == nil {
			t.Errorf("%s signs", name)
		}
	}
}
