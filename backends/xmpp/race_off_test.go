//go:build !race

package xmpp

// underRace reports whether the race detector is on: memory and time cannot
// be measured then.
const underRace = false
