package api

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/mochibosh/mochibosh/auth"
)

// What a key may allow, besides auth.Publish, auth.History and auth.Presence.
// Users stand for the topics of their messages, bus.UserTopic.
const (
	Sessions auth.Capability = "sessions" // to see and end those of a user
)

// All are all capabilities.
var All = []auth.Capability{auth.Publish, auth.History, auth.Presence, Sessions}

// hashName begins a hash, and says which it is. Keys are long and random, so
// a quick hash does.
const hashName = "sha256:"

// A Key is somebody who may call.
type Key struct {
	Name   string
	Grants auth.Grants

	hash [sha256.Size]byte

	mu     sync.Mutex
	tokens float64
	at     time.Time // when tokens was right; zero: it is full
}

// NewKey makes a key, and returns what its owner has to know.
func NewKey(name string, grants auth.Grants) (k *Key, secret string) {
	secret = "mk_" + rand.Text()
	return &Key{Name: name, Grants: grants, hash: sha256.Sum256([]byte(secret))}, secret
}

// String returns the key as a line of a file: NAME HASH CAPABILITY… on
// PATTERN…. Grants with other capabilities than the first are left out.
func (k *Key) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s%s", k.Name, hashName, hex.EncodeToString(k.hash[:]))
	for i, g := range k.Grants {
		if i == 0 {
			for _, c := range g.Can {
				b.WriteString(" " + string(c))
			}
			b.WriteString(" on")
		}
		b.WriteString(" " + string(g.Pattern))
	}
	return b.String()
}

// allows reports whether the key is for doing this in a topic.
func (k *Key) allows(c auth.Capability, topic string) bool {
	for i := range k.Grants {
		if k.Grants[i].Allows(c, topic, "") {
			return true
		}
	}
	return false
}

// take counts messages, and reports whether they are few enough. A batch is
// taken as soon as there is room for any of it, and fills what comes after.
func (k *Key) take(now time.Time, n int, rate float64) bool {
	if rate <= 0 {
		return true
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if full := max(1, rate); k.at.IsZero() {
		k.tokens = full
	} else {
		k.tokens = min(full, k.tokens+rate*now.Sub(k.at).Seconds())
	}
	if k.at = now; k.tokens < 1 {
		return false
	}
	k.tokens -= float64(n)
	return true
}

// Keys are those that may call. They are never modified.
type Keys struct{ byHash map[[sha256.Size]byte]*Key }

// NewKeys returns a set of keys.
func NewKeys(all ...*Key) *Keys {
	ks := &Keys{make(map[[sha256.Size]byte]*Key, len(all))}
	for _, k := range all {
		ks.byHash[k.hash] = k
	}
	return ks
}

// ParseKeys reads a file of keys, one a line, as Key.String has it. Empty
// lines, and those that begin with #, say nothing.
func ParseKeys(text string) (*Keys, error) {
	var all []*Key
	var errs []error
	names := make(map[string]bool)
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		k, err := parseKey(line)
		if err == nil && names[k.Name] {
			err = fmt.Errorf("the name %q is there twice", k.Name)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("line %d: %w", i+1, err))
			continue
		}
		names[k.Name] = true
		all = append(all, k)
	}
	return NewKeys(all...), errors.Join(errs...)
}

func parseKey(line string) (*Key, error) {
	name, rest, _ := strings.Cut(line, " ")
	hash, rest, _ := strings.Cut(strings.TrimSpace(rest), " ")
	k := &Key{Name: name}
	digits, ok := strings.CutPrefix(hash, hashName)
	sum, err := hex.DecodeString(digits)
	if !ok || err != nil || copy(k.hash[:], sum) != len(k.hash) || len(sum) != len(k.hash) {
		return nil, fmt.Errorf("%q has no hash that begins with %s", name, hashName)
	}
	k.Grants, err = auth.ParseGrants(rest, All...)
	return k, err
}

// find returns the key that a caller brings; nil: it is none.
func (ks *Keys) find(secret string) *Key {
	if ks == nil || secret == "" {
		return nil
	}
	return ks.byHash[sha256.Sum256([]byte(secret))]
}
