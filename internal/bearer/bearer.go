// Package bearer reads bearer tokens (RFC 6750).
package bearer

import (
	"net/http"
	"strings"
)

// Token returns the token of an Authorization header; empty if there is none,
// or the header has something else.
func Token(h http.Header) string {
	scheme, token, _ := strings.Cut(h.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") { // RFC 9110 §11.1
		return ""
	}
	return strings.TrimSpace(token)
}
