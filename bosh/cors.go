package bosh

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const allowedMethods = "POST, GET, HEAD, OPTIONS"

// cors applies the policy on origins and reports whether the request may go
// on. The policy holds for the request itself and not just for preflights:
// a page needs none to POST text/plain, and BOSH takes any type.
func (h *Handler) cors(w http.ResponseWriter, r *http.Request) bool {
	header := w.Header()
	everybody := slices.Contains(h.opts.Origins, "*")
	if !everybody {
		header.Add("Vary", "Origin")
	}
	origin := r.Header.Get("Origin")
	switch {
	case origin == "" && !everybody:
		return true
	case everybody:
		header.Set("Access-Control-Allow-Origin", "*")
		return true
	case slices.Contains(h.opts.Origins, origin):
		// Clients may be set to send cookies, for a load balancer.
		header.Set("Access-Control-Allow-Credentials", "true")
	case sameHost(origin, r.Host):
	default:
		return false
	}
	header.Set("Access-Control-Allow-Origin", origin)
	return true
}

// sameHost ignores the scheme, which a proxy that ends TLS may hide.
func sameHost(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, host)
}

// preflight answers what a browser asks before it POSTs text/xml.
func (h *Handler) preflight(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Allow", allowedMethods)
	if r.Header.Get("Access-Control-Request-Method") != "" {
		header.Set("Access-Control-Allow-Methods", allowedMethods)
		header.Set("Access-Control-Allow-Headers", strings.Join(append([]string{"Content-Type"}, h.opts.Headers...), ", "))
		header.Set("Access-Control-Max-Age", "7200") // else browsers ask again every 5 s
	}
	w.WriteHeader(http.StatusNoContent)
}
