// Package discovery tells XMPP clients where the endpoints of a domain are:
// XEP-0156, in the host-meta document of RFC 6415, as XML and as JSON.
//
//	GET https://example.org/.well-known/host-meta       application/xrd+xml
//	GET https://example.org/.well-known/host-meta.json  application/json
//
// Clients ask at the domain of the JID. Where another web server has that
// name, it is to pass these paths on, or to redirect them.
package discovery
