package auth

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Capability is something that may be done in a topic.
type Capability string

const (
	Subscribe Capability = "subscribe"
	Publish   Capability = "publish"
	History   Capability = "history"  // to get messages from before
	Presence  Capability = "presence" // to ask who is there, or to be seen there
)

// capabilities are all that there are.
var capabilities = []Capability{Subscribe, Publish, History, Presence}

// A Grant allows capabilities in the topics of a pattern.
type Grant struct {
	Pattern Pattern
	Can     []Capability
}

// Allows reports whether the grant allows it, to this user.
func (g *Grant) Allows(c Capability, topic, user string) bool {
	return slices.Contains(g.Can, c) && g.Pattern.Match(topic, user)
}

// MaxGrants bounds the grants of one principal.
const MaxGrants = 100

// Grants is a list of them, in JSON an object of capabilities by pattern:
//
//	{"news":["subscribe","history"],"chat/*":["subscribe","publish"]}
type Grants []Grant

// UnmarshalJSON implements json.Unmarshaler. Patterns and capabilities that do
// not exist are errors: who grants them means something else.
func (g *Grants) UnmarshalJSON(data []byte) error {
	var all map[string][]Capability
	if err := json.Unmarshal(data, &all); err != nil {
		return fmt.Errorf("grants are an object of capabilities by topic: %w", err)
	}
	if len(all) > MaxGrants {
		return fmt.Errorf("more than %d grants", MaxGrants)
	}
	*g = make(Grants, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		pattern, err := ParsePattern(name)
		if err != nil {
			return err
		}
		for _, c := range all[name] {
			if !slices.Contains(capabilities, c) {
				return fmt.Errorf("no capability is called %q", c)
			}
		}
		*g = append(*g, Grant{pattern, all[name]})
	}
	return nil
}

// MarshalJSON implements json.Marshaler.
func (g Grants) MarshalJSON() ([]byte, error) {
	all := make(map[Pattern][]Capability, len(g))
	for _, grant := range g {
		all[grant.Pattern] = append(all[grant.Pattern], grant.Can...)
	}
	return json.Marshal(all)
}

func (g Grants) allow(c Capability, topic, user string) bool {
	for i := range g {
		if g[i].Allows(c, topic, user) {
			return true
		}
	}
	return false
}

// Who says for whom a [Rule] is.
type Who string

const (
	Anonymous Who = "anonymous" // sessions without a token
	Users     Who = "users"     // sessions of a user, whoever
	Anybody   Who = "anybody"   // both
)

// For names one user.
func For(user string) Who { return Who("user:" + user) }

func (w Who) includes(user string) bool {
	switch w {
	case Anonymous:
		return user == ""
	case Users:
		return user != ""
	case Anybody:
		return true
	}
	return user != "" && w == For(user)
}

// A Rule is a grant of the server's own.
type Rule struct {
	Who Who
	Grant
}

// ParseRules reads "WHO CAPABILITY… on PATTERN…", such as
//
//	anonymous subscribe history on news/*
//	user:ann publish on news/today news/tomorrow
//
// which is a rule for each pattern.
func ParseRules(s string) ([]Rule, error) {
	who, rest, _ := strings.Cut(strings.TrimSpace(s), " ")
	switch w := Who(who); {
	case w == Anonymous, w == Users, w == Anybody:
	case strings.HasPrefix(who, "user:") && len(who) > len("user:"):
	default:
		return nil, fmt.Errorf("%q is neither anonymous, users, anybody, nor user:NAME", who)
	}
	grants, err := ParseGrants(rest, capabilities...)
	if err != nil {
		return nil, err
	}
	rules := make([]Rule, len(grants))
	for i, g := range grants {
		rules[i] = Rule{Who(who), g}
	}
	return rules, nil
}

// ParseGrants reads "CAPABILITY… on PATTERN…". The capabilities are among
// those known.
func ParseGrants(s string, known ...Capability) (Grants, error) {
	words := strings.Fields(s)
	on := slices.Index(words, "on")
	if on < 1 || on == len(words)-1 {
		return nil, fmt.Errorf("%q is not like \"subscribe publish on chat/*\"", strings.TrimSpace(s))
	}
	var can []Capability
	for _, w := range words[:on] {
		if !slices.Contains(known, Capability(w)) {
			return nil, fmt.Errorf("no capability is called %q", w)
		}
		can = append(can, Capability(w))
	}
	var grants Grants
	for _, w := range words[on+1:] {
		p, err := ParsePattern(w)
		if err != nil {
			return nil, err
		}
		grants = append(grants, Grant{p, can})
	}
	return grants, nil
}
