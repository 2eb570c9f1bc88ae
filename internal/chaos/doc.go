// Package chaos is a network that goes wrong: a proxy for HTTP/1.1, event
// streams and WebSockets that loses, cuts, doubles, replays, reorders, delays
// and tears what it carries, each with a probability, and counts what it did.
//
//	client ──▶ Proxy ──▶ server
//	             │ one request and its answer: an exchange
//	             │ one piece of a stream, either way: a piece
//	             └ a roll of the dice for each decides which Fault it meets
//
// The dice are seeded. The n-th roll of the m-th connection is the same in each
// run with the same seed; which request comes n-th on it is for the client, the
// server and the scheduler.
package chaos
