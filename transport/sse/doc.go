// Package sse carries push.v1 over server-sent events: one long response down,
// small requests to the long-poll carrier up. docs/push-v1.md, section 4.2.
package sse
