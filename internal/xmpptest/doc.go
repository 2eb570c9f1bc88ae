// Package xmpptest starts real XMPP servers for tests: Prosody and ejabberd, on
// loopback, at free ports, with a certificate of their own, and with
// everything they keep in a temporary folder. Several run side by side.
package xmpptest
