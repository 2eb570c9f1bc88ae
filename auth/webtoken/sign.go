package webtoken

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/mochibosh/mochibosh/auth"
)

// A Signer makes tokens, as applications do that are written in Go.
type Signer struct {
	// Issuer and Audience are iss and aud. Empty: they are left out.
	Issuer, Audience string

	method   jwt.SigningMethod
	material any
}

// ParseSigner reads what a key file has: a private key in PEM (PKCS #8), or else
// a secret, without the line break at its end.
func ParseSigner(data []byte) (*Signer, error) {
	trimmed := bytes.TrimSpace(data)
	if !bytes.HasPrefix(trimmed, []byte("-----BEGIN")) {
		if bytes.HasPrefix(trimmed, []byte("{")) {
			return nil, errors.New("a JWK set is not for signing: give the private key in PEM")
		}
		k, err := NewKey(bytes.TrimRight(data, "\r\n"))
		return &Signer{method: jwt.SigningMethodHS256, material: k.material}, err
	}
	block, _ := pem.Decode(trimmed)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, errors.New("no PRIVATE KEY is in the PEM: it is the private half that signs")
	}
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	signer, ok := private.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a %T does not sign", private)
	}
	if _, err := NewKey(publicOf(signer)); err != nil {
		return nil, err
	}
	return &Signer{method: jwt.GetSigningMethod(algorithmsOf(publicOf(signer))[0]), material: private}, nil
}

// publicOf returns the public half, as NewKey takes it.
func publicOf(private crypto.Signer) any {
	switch public := private.Public().(type) {
	case *rsa.PublicKey:
		return public
	case *ecdsa.PublicKey:
		return public
	case ed25519.PublicKey:
		return public
	}
	return nil
}

// Sign makes a token of a principal.
func (s *Signer) Sign(p *auth.Principal) (string, error) {
	c := jwt.MapClaims{"sub": p.User, "iat": time.Now().Unix()}
	if !p.Expires.IsZero() {
		c["exp"] = p.Expires.Unix()
	}
	if len(p.Grants) > 0 {
		c["topics"] = p.Grants
	}
	if s.Issuer != "" {
		c["iss"] = s.Issuer
	}
	if s.Audience != "" {
		c["aud"] = s.Audience
	}
	return jwt.NewWithClaims(s.method, c).SignedString(s.material)
}
