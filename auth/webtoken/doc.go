// Package webtoken verifies JSON Web Tokens (RFC 7519) as an
// [auth.Authenticator]: signatures by HMAC, RSA, ECDSA and Ed25519, with keys
// from files or from a JWK set (RFC 7517) at a URL.
//
// What a token must say:
//
//	sub      the user
//	exp      when it expires
//	iss      Options.Issuer, if that is set
//	aud      Options.Audience, if that is set
//	topics   what it grants: {"chat/*":["subscribe","publish"]}; may be absent
//
// The algorithm is chosen by the key, and never by the token: a key of one
// kind verifies nothing that says to be of another, and tokens without a
// signature are never good.
package webtoken
