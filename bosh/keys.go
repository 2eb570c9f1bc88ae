package bosh

import (
	"crypto/sha1"
	"crypto/subtle"
	"encoding/hex"
	"strings"
)

// A chain is the sequence of keys that protects a session whose requests can
// be seen by others (XEP-0124 §15): each key is the hash of the next, so who
// saw one cannot tell the next. Empty: there is none.
type chain struct {
	before string // the newest key, or new key, in lower case
}

// maxKey is more than any key has. What is longer fits nothing, cut or not.
const maxKey = 64

// parseKey takes a key out of a request that is not kept.
func parseKey(s string) string { return strings.Clone(s[:min(len(s), maxKey)]) }

// start begins the chain with the creation's newkey.
func (c *chain) start(newKey string) { c.before = strings.ToLower(newKey) }

// fits reports whether a key is the next of the chain. The hash is taken of
// the text as it was sent; case matters in nothing else (XEP-0124 §15.3).
// Without a chain every key fits.
func (c *chain) fits(key string) bool {
	if c.before == "" {
		return true
	}
	sum := sha1.Sum([]byte(key))
	return sameKey(hex.EncodeToString(sum[:]), c.before)
}

// next moves on to a request, if its key fits. A new key begins another chain,
// which the old one vouches for (XEP-0124 §15.5).
func (c *chain) next(n *note) bool {
	if c.before == "" {
		return true
	}
	switch sp := n.with(); {
	case !c.fits(sp.key):
		return false
	case sp.newKey != "":
		c.start(sp.newKey)
	default:
		c.before = strings.ToLower(sp.key)
	}
	return true
}

// sameKey compares without regard to case, in a time that tells nothing.
func sameKey(a, b string) bool {
	return subtle.ConstantTimeCompare([]byte(strings.ToLower(a)), []byte(strings.ToLower(b))) == 1
}
