// Package proxies has the configurations of deploy/nginx, deploy/haproxy and
// deploy/caddy run by the real programs, in front of the real server, as they
// are shipped: what the tests put in are addresses, certificates and time-outs,
// by the files and variables that are there for it.
//
//	client (127.0.0.2) ══ TLS ══▶ proxy ── HTTP/1.1 ──▶ mochibosh (trusts 127.0.0.1)
//
// Time is real here, so the tests run side by side, and are few.
package proxies
