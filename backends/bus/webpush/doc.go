// Package webpush brings messages of the bus to browsers whose page is closed: Web
// Push, as RFC 8030 has the request, RFC 8291 its encryption and RFC 8292 the
// signature of the server that makes it (VAPID).
//
// A client registers the subscription that its browser made, with the [Handler]. A
// message that is published with a [Message] beside it, by [Pusher.Publish], is handed
// to the push services of those users for whom it is meant and who are not there: who
// have no session with this process, or who have not acknowledged it in time. The
// process that publishes hands over, and no other, so that it happens once.
//
// Endpoints come from clients, so a server that posts to them could be made to post
// into its own network. They have to be of allowed hosts, and have to have public
// addresses, when they are registered and again whenever they are connected to.
package webpush
