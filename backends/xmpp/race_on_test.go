//go:build race

package xmpp

const underRace = true
