// Package origin decides which web pages may call an endpoint from a browser,
// and tells browsers so (CORS).
//
// The check is made on the request itself and not only by CORS headers: a
// page of any origin can send a POST of type text/plain without asking first.
package origin

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Policy is the set of origins that are allowed besides the server's own.
type Policy struct {
	any     bool
	allowed []string
	headers string
}

// NewPolicy returns the policy for a list of origins such as
// "https://chat.example". "*" allows any; "null" stands for pages without an
// origin, such as local files. Pages may send the named headers.
func NewPolicy(origins []string, headers ...string) Policy {
	return Policy{slices.Contains(origins, "*"), origins, strings.Join(headers, ", ")}
}

// Allows reports whether the page that made the request may make it. Requests
// without an Origin come from no page of another origin.
func (p Policy) Allows(r *http.Request) bool {
	o := r.Header.Get("Origin")
	return o == "" || p.any || sameHost(o, r.Host) || slices.Contains(p.allowed, o)
}

// sameHost compares hosts only: behind a proxy that ends TLS, the scheme of
// our own origin is unknown here.
func sameHost(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, host)
}

// SetHeaders sets the CORS headers that every answer to an allowed page
// needs, errors included. Fetch standard, "CORS check".
func (p Policy) SetHeaders(h http.Header, r *http.Request) {
	if p.any {
		h["Access-Control-Allow-Origin"] = anyOrigin
		return
	}
	if vary := h["Vary"]; vary == nil {
		h["Vary"] = varyOrigin
	} else {
		h["Vary"] = append(vary, "Origin")
	}
	o := r.Header.Get("Origin")
	if o == "" || !p.Allows(r) {
		return
	}
	h.Set("Access-Control-Allow-Origin", o)
	if slices.Contains(p.allowed, o) {
		// Clients may be set to send cookies, for a load balancer.
		h.Set("Access-Control-Allow-Credentials", "true")
	}
}

// Shared values: a header line costs no allocation then. The slices have no
// room, so an append copies.
var (
	varyOrigin = []string{"Origin"}
	anyOrigin  = []string{"*"}
)

// Preflight answers an OPTIONS request. Browsers keep the answer for two
// hours, else each poll would cost two round trips.
func (p Policy) Preflight(w http.ResponseWriter, r *http.Request, methods string) {
	h := w.Header()
	p.SetHeaders(h, r)
	h.Set("Allow", methods)
	if p.Allows(r) {
		h.Set("Access-Control-Allow-Methods", methods)
		h.Set("Access-Control-Allow-Headers", p.headers)
		h.Set("Access-Control-Max-Age", "7200")
	}
	w.WriteHeader(http.StatusNoContent)
}
