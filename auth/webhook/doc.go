// Package webhook asks the developer's application, over HTTP, who clients are
// and what they may do.
//
// To connect, it posts what the client brought:
//
//	{"event":"connect","token":"…"}
//
// The application answers 200 with the user, what is granted in topics, and
// for how many seconds; the last two may be absent:
//
//	{"user":"ann","topics":{"chat/*":["subscribe","publish"]},"expires":3600}
//
// or 401 for a token that is not good, or 403 for a user who may not connect.
// About an operation that nothing else allows, it posts
//
//	{"event":"subscribe","user":"ann","topic":"chat/tea"}
//
// where event is a capability, and the application answers 200 with
//
//	{"allow":true,"for":60}
//
// where for, seconds that the answer holds, may be absent. Everything else is
// no answer: then the client is told that it may try again later.
package webhook
