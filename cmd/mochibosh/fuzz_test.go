package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A size that is understood is a positive number of bytes, and what String
// writes of it is understood as the same. So it is with the other numbers of
// settings.
func FuzzSize(f *testing.F) {
	for _, seed := range []string{"65536", "64KiB", " 1 MiB ", "0", "-1", "9223372036854775807TiB", "off", "100", "50%", "1e3"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var s, again size
		if s.UnmarshalText([]byte(text)) == nil && (s <= 0 || again.UnmarshalText([]byte(s.String())) != nil || again != s) {
			t.Errorf("%q: %d, then %d", text, s, again)
		}
		var l, sameLimit memoryLimit
		if l.UnmarshalText([]byte(text)) == nil && (sameLimit.UnmarshalText([]byte(l.String())) != nil || sameLimit != l) {
			t.Errorf("memory limit %q: %d, then %d", text, l, sameLimit)
		}
		var p, samePercent gcPercent
		if p.UnmarshalText([]byte(text)) == nil && (samePercent.UnmarshalText([]byte(p.String())) != nil || samePercent != p) {
			t.Errorf("percent %q: %d, then %d", text, p, samePercent)
		}
	})
}

// A route that is understood has a domain, and an address with a port or none.
func FuzzRoute(f *testing.F) {
	for _, seed := range []string{
		"a.example", "a.example=127.0.0.1", "a.example=[::1]:5223?tls=direct", "a.example?tls=direct", "=x", "a=b=c",
		"a.example?name=b&proxy=v2", "a?proxy=v3", "a?tls=off&name=b", "a?%zz", "A.Example=host:http",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		if strings.Contains(spec, "ca=") {
			return // reads files
		}
		domain, r, err := parseRoute(spec)
		switch {
		case err != nil:
		case domain == "" || domain != strings.ToLower(domain) || strings.ContainsAny(domain, " /:@="):
			t.Errorf("%q: domain %q", spec, domain)
		case r.Addr != "" && !strings.Contains(r.Addr, ":"):
			t.Errorf("%q: address %q without a port", spec, r.Addr)
		}
	})
}

// Whatever a configuration file says, it is read or refused with an error that
// names the file.
func FuzzConfigFile(f *testing.F) {
	for _, seed := range []string{
		"", "max-body = '2MiB'", "xmpp = ['a=b:1', 'c']", "max-body = [1]", "a = {b = 1}", "listen = '127.0.0.1:0", "=", "a = 1979-05-27",
	} {
		f.Add(seed)
	}
	file := filepath.Join(f.TempDir(), "mochibosh.toml")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r := &fileResolver{path: file}
		if err := r.read(); err != nil && !strings.Contains(err.Error(), file) {
			t.Error(err)
		}
	})
}
