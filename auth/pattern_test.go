package auth_test

import (
	"strings"
	"testing"

	"github.com/mochibosh/mochibosh/auth"
)

func TestPatterns(t *testing.T) {
	for _, tt := range []struct {
		rule           string
		pattern, topic string
		user           string
		want           bool
	}{
		{"a name is itself", "news", "news", "", true},
		{"and nothing longer", "news", "news/today", "", false},
		{"nor shorter", "news", "new", "", false},
		{"a beginning is all that begins so", "chat/*", "chat/tea/1", "", true},
		{"also nothing more", "chat/*", "chat/", "", true},
		{"but not its neighbour", "chat/*", "chatter", "", false},
		{"nor what is above", "chat/*", "chat", "", false},
		{"everything", "*", "any thing/at*all", "", true},
		{"but not what belongs to the server", "*", "$all", "", false},
		{"unless it is named", "$*", "$user/ann", "", true},
		{"and then nothing else", "$*", "all", "", false},
		{"upper case is another name", "News", "news", "", false},
		{"a topic that looks like a pattern is a name", "chat/tea", "chat/*", "", false},
		{"nothing in the middle", "a*", "ba", "", false},

		{"the user's own", "user/{user}", "user/ann", "ann", true},
		{"not another's", "user/{user}", "user/bob", "ann", false},
		{"not one with a longer name", "user/{user}", "user/anna", "ann", false},
		{"below the user's own", "user/{user}/*", "user/ann/inbox", "ann", true},
		{"not below a longer name", "user/{user}/*", "user/anna/inbox", "ann", false},
		{"in the middle", "a/{user}/b", "a/ann/b", "ann", true},
		{"alone", "{user}", "ann", "ann", true},
		{"nobody has nothing of their own", "user/{user}/*", "user//inbox", "", false},
		{"a user whose name is a pattern is no pattern", "user/{user}", "user/bob", "*", false},
		{"but a name", "user/{user}", "user/*", "*", true},
		{"a user with a slash would be in another's", "user/{user}/*", "user/ann/x/inbox", "ann/x", false},
		{"a user called {user}", "user/{user}", "user/{user}", "{user}", true},
		{"a user called like what belongs to the server", "{user}", "$all", "$all", false},
		{"the zero pattern is nothing", "", "", "", false},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			if got := auth.Pattern(tt.pattern).Match(tt.topic, tt.user); got != tt.want {
				t.Errorf("%q matches %q for %q: %v", tt.pattern, tt.topic, tt.user, got)
			}
		})
	}
}

func TestPatternsThatAreNone(t *testing.T) {
	for name, s := range map[string]string{
		"empty":                     "",
		"a star in the middle":      "a*b",
		"two stars":                 "a**",
		"only stars":                "**",
		"too long":                  strings.Repeat("x", auth.MaxPattern+1),
		"a control character":       "a\nb",
		"not UTF-8":                 "a\xff",
		"a user within a part":      "user-{user}",
		"a user before a star":      "user/{user}*",
		"two users":                 "{user}/{user}",
		"a user before other words": "{user}s",
	} {
		if p, err := auth.ParsePattern(s); err == nil {
			t.Errorf("%s: %q is taken as %q", name, s, p)
		}
	}
}

// What a pattern matches, it still matches for nobody else: whatever names
// users have, no two of them have a part of their own in common.
func FuzzOwnTopics(f *testing.F) {
	f.Add("user/{user}/*", "user/ann/inbox", "ann", "bob")
	f.Add("{user}", "*", "*", "{user}")
	f.Add("a/{user}", "a/b/c", "b", "b/c")
	f.Fuzz(func(t *testing.T, s, topic, a, b string) {
		p, err := auth.ParsePattern(s)
		if err != nil || !strings.Contains(s, "{user}") || a == b {
			return
		}
		if p.Match(topic, a) && p.Match(topic, b) {
			t.Errorf("%q matches %q for %q and for %q", s, topic, a, b)
		}
	})
}

func TestRules(t *testing.T) {
	rules, err := auth.ParseRules("user:ann  subscribe publish on chat/* news")
	if err != nil || len(rules) != 2 || rules[0].Who != auth.For("ann") || rules[1].Pattern != "news" ||
		!rules[1].Allows(auth.Publish, "news", "ann") || rules[1].Allows(auth.History, "news", "ann") {
		t.Errorf("got %+v, %v", rules, err)
	}
	for _, s := range []string{
		"", "everybody publish on x", "user: publish on x", "users publish", "users on x", "users publish on",
		"users publish x", "users fly on x", "users publish on a*b",
	} {
		if _, err := auth.ParseRules(s); err == nil {
			t.Errorf("%q is taken", s)
		}
	}
}

func FuzzParseRules(f *testing.F) {
	f.Add("users subscribe publish on chat/* news")
	f.Add("user:on on on on")
	f.Fuzz(func(t *testing.T, s string) {
		rules, err := auth.ParseRules(s)
		if err == nil && len(rules) == 0 {
			t.Errorf("%q says nothing, and is no error", s)
		}
	})
}
