package auth

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxPattern bounds the bytes of a pattern.
const MaxPattern = 200

// Reserved is how the names of topics begin that belong to the server: no
// pattern matches one unless it begins so itself.
const Reserved = "$"

// userMark stands in a pattern for the name of the user.
const userMark = "{user}"

// A Pattern stands for topics: for the one of that name or, where it ends in
// "*", for all whose names begin with what is before. One part between slashes
// may be "{user}": that of the user's own name. A user whose name has a slash
// has no such part, for others could be meant by it.
type Pattern string

// ParsePattern returns the pattern, or what is wrong with it.
func ParsePattern(s string) (Pattern, error) {
	fixed := strings.TrimSuffix(s, "*")
	switch {
	case s == "":
		return "", errors.New("the pattern is empty")
	case len(s) > MaxPattern:
		return "", fmt.Errorf("the pattern is longer than %d bytes", MaxPattern)
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl):
		return "", errors.New("the pattern has characters that no topic has")
	case strings.Contains(fixed, "*"):
		return "", fmt.Errorf("pattern %q: * may only be at its end", s)
	}
	before, after, named := strings.Cut(s, userMark)
	if named {
		between := (before == "" || strings.HasSuffix(before, "/")) && (after == "" || strings.HasPrefix(after, "/"))
		if !between || strings.Contains(after, userMark) {
			return "", fmt.Errorf("pattern %q: %s must be all that is between two slashes, and only once", s, userMark)
		}
	}
	return Pattern(s), nil
}

// Match reports whether a topic is among those that are meant, for this user;
// "" is nobody in particular. The zero pattern matches nothing.
func (p Pattern) Match(topic, user string) bool {
	s := string(p)
	if strings.HasPrefix(topic, Reserved) && !strings.HasPrefix(s, Reserved) {
		return false
	}
	if before, after, named := strings.Cut(s, userMark); named {
		if user == "" || strings.Contains(user, "/") || !strings.HasPrefix(topic, before) {
			return false
		}
		// The name is compared, and not put into the pattern: it may end in "*".
		rest, own := strings.CutPrefix(topic[len(before):], user)
		if !own {
			return false
		}
		s, topic = after, rest
	}
	if prefix, open := strings.CutSuffix(s, "*"); open {
		return strings.HasPrefix(topic, prefix)
	}
	return topic == s && (topic != "" || p != "")
}
