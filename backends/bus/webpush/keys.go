package webpush

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"net/url"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Keys are those by which push services know the server (RFC 8292). They have to stay
// the same: what a browser subscribed to with other keys reaches nobody.
type Keys struct {
	private *ecdsa.PrivateKey
	public  string
}

// NewKeys makes keys.
func NewKeys() (*Keys, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return keysOf(private)
}

// ParseKeys reads a private key of the curve P-256 in PEM (PKCS #8).
func ParseKeys(data []byte) (*Keys, error) {
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, errors.New("no private key in PEM (PKCS #8)")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	private, ok := key.(*ecdsa.PrivateKey)
	if !ok || private.Curve != elliptic.P256() {
		return nil, errors.New("the key is not of the curve P-256")
	}
	return keysOf(private)
}

func keysOf(private *ecdsa.PrivateKey) (*Keys, error) {
	public, err := private.PublicKey.ECDH()
	if err != nil {
		return nil, err
	}
	return &Keys{private, base64.RawURLEncoding.EncodeToString(public.Bytes())}, nil
}

// PEM returns what [ParseKeys] reads. It is a secret.
func (k *Keys) PEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// Public returns the public key as browsers take it: the applicationServerKey.
func (k *Keys) Public() string { return k.public }

// signedFor is how long a signature is good. RFC 8292 section 2 allows a day.
const signedFor = 12 * time.Hour

// authorization returns the header of a request to an endpoint (RFC 8292 section 3).
func (k *Keys) authorization(endpoint *url.URL, subject string, now time.Time) (string, error) {
	claims := jwt.MapClaims{"aud": endpoint.Scheme + "://" + endpoint.Host, "exp": now.Add(signedFor).Unix(), "sub": subject}
	token, err := jwt.NewWithClaims(jwt.SigningMethodES256, claims).SignedString(k.private)
	if err != nil {
		return "", err
	}
	return "vapid t=" + token + ", k=" + k.public, nil
}
