// Package longpoll carries push.v1 over plain HTTP requests, of which one is
// held until there is something to say. It is the carrier that passes every
// proxy, and the one for curl. docs/push-v1.md, section 4.1.
package longpoll
