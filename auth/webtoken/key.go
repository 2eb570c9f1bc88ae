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
)

// What keys must have at least: as many bits as the hash (RFC 7518 §3.2), and
// 2048 for RSA (§3.3).
const (
	minSecret = 32 // bytes
	minRSA    = 2048
)

// A Key verifies signatures.
type Key struct {
	// ID is compared with the token's kid, if it has one. Empty: the key is
	// tried for any.
	ID string
	// Algorithm is the only one that the key is for, such as "ES256". Empty:
	// all that fit its kind.
	Algorithm string

	material any // []byte, *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
}

// NewKey returns a key for HMAC ([]byte), RSA, ECDSA or Ed25519, which are
// public keys. Secrets and RSA keys that are too short are refused.
func NewKey(material any) (Key, error) {
	k := Key{material: material}
	switch m := material.(type) {
	case []byte:
		if len(m) < minSecret {
			return Key{}, fmt.Errorf("the secret is shorter than %d bytes", minSecret)
		}
		k.material = bytes.Clone(m)
	case *rsa.PublicKey:
		if m.N.BitLen() < minRSA {
			return Key{}, fmt.Errorf("the RSA key is shorter than %d bits", minRSA)
		}
	case *ecdsa.PublicKey:
		if algorithmsOf(m) == nil {
			return Key{}, fmt.Errorf("no algorithm is for curve %s", m.Curve.Params().Name)
		}
	case ed25519.PublicKey:
	default:
		return Key{}, fmt.Errorf("a %T is no key to verify with", material)
	}
	return k, nil
}

// algorithmsOf returns the algorithms that fit a key.
func algorithmsOf(material any) []string {
	switch m := material.(type) {
	case []byte:
		return []string{"HS256", "HS384", "HS512"}
	case *rsa.PublicKey:
		return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
	case ed25519.PublicKey:
		return []string{"EdDSA"}
	case *ecdsa.PublicKey: // RFC 7518 §3.4: each has its curve
		switch m.Curve.Params().BitSize {
		case 256:
			return []string{"ES256"}
		case 384:
			return []string{"ES384"}
		case 521:
			return []string{"ES512"}
		}
	}
	return nil
}

// ParseKeys reads what a key file has: a public key or certificate in PEM, a
// JWK set in JSON, or else a secret, without the line break at its end.
func ParseKeys(data []byte) ([]Key, error) {
	switch trimmed := bytes.TrimSpace(data); {
	case bytes.HasPrefix(trimmed, []byte("-----BEGIN")):
		return parsePEM(trimmed)
	case bytes.HasPrefix(trimmed, []byte("{")):
		return parseSet(trimmed, true)
	}
	k, err := NewKey(bytes.TrimRight(data, "\r\n"))
	return []Key{k}, err
}

func parsePEM(data []byte) (all []Key, err error) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		public, err := parsePublic(block)
		if err != nil {
			return nil, err
		}
		k, err := NewKey(public)
		if err != nil {
			return nil, err
		}
		all = append(all, k)
	}
	if len(all) == 0 {
		return nil, errors.New("no key is in the PEM")
	}
	return all, nil
}

func parsePublic(block *pem.Block) (crypto.PublicKey, error) {
	switch block.Type {
	case "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return c.PublicKey, nil
	}
	return nil, fmt.Errorf("a %s is not needed to verify tokens: give the public key", block.Type)
}
