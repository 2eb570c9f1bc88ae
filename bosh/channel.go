package bosh

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
)

// channelOf tells what a request came over, as far as later requests of the
// same session have to come over the like (XEP-0124 §19.1): in clear, over TLS,
// or over TLS with a certificate of the client's.
func channelOf(r *http.Request) string {
	switch {
	case r.TLS == nil:
		return ""
	case len(r.TLS.PeerCertificates) == 0:
		return "tls"
	}
	sum := sha256.Sum256(r.TLS.PeerCertificates[0].Raw)
	return "tls " + base64.RawStdEncoding.EncodeToString(sum[:])
}

// isAsSecure reports whether a request may be one of a session that was made
// over the channel. What was made in clear may go on over TLS.
func isAsSecure(r *http.Request, channel string) bool {
	return channel == "" || channel == channelOf(r)
}
