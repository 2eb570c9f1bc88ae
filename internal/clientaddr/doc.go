// Package clientaddr finds out who is at the far end of a request that came
// through reverse proxies, and makes the request look as it would without
// them: RemoteAddr, Host and TLS are those of the client's own connection.
//
//	client ─▶ proxy ─▶ proxy ─▶ here
//	          each adds the address that it saw to Forwarded (RFC 7239)
//	          or X-Forwarded-For, on the right
//
// The list is read from the right, as long as the addresses are those of
// trusted proxies: the first other one is the client. What is left of it may
// be invented. Nothing is believed of a connection that comes from elsewhere.
package clientaddr
