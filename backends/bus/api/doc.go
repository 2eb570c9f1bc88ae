// Package api offers a bus to servers over HTTP: publish, history, presence,
// the sessions of a user. docs/api.md is its description for people,
// openapi.json that for programs, which is served, too. Names are those of
// [bus.Bus].
//
// Who calls has a key. Keys are kept as hashes, each with what it allows.
package api
