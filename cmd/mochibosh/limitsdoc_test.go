package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// docs/limits.md has every limit that can be set, with its default, and a test
// that exists.
func TestLimitsAreDocumented(t *testing.T) {
	in, err := parse([]string{"serve"})
	if err != nil {
		t.Fatal(err)
	}
	defaults := make(map[string]string)
	for _, s := range in.values {
		defaults[s.name] = s.value
	}
	text, err := os.ReadFile("../../docs/limits.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := make(map[string]bool)
	for _, m := range regexp.MustCompile("(?m)^\\| [^|]+ \\| `([a-z-]+)` \\| `([^`]+)` \\| [^|]+ \\| `([a-z/]+)` `(\\w+)(?:/([a-z-]+))?` \\|$").FindAllStringSubmatch(string(text), -1) {
		flag, value, folder, name, sub := m[1], m[2], m[3], m[4], m[5]
		documented[flag] = true
		if got, ok := defaults[flag]; !ok || got != value {
			t.Errorf("%s is documented with the default %s, it is %q", flag, value, got)
		}
		source := sources(t, folder)
		if !strings.Contains(source, "func "+name+"(t *testing.T)") || sub != "" && !strings.Contains(source, `{"--`+sub+`=`) {
			t.Errorf("%s: there is no test %s/%s in %s", flag, name, sub, folder)
		}
	}
	rows := regexp.MustCompile("(?m)^\\| [^|]+ \\| `").FindAllString(string(text), -1)
	if len(rows) != len(documented) {
		t.Errorf("%d of %d rows can be read", len(documented), len(rows))
	}
	for name := range defaults {
		bounds := strings.HasPrefix(name, "max-") || strings.Contains(name, "-max-") || name == "memory-budget" || strings.HasSuffix(name, "-rate")
		if bounds && !documented[name] && name != "bosh-max-pause" {
			t.Errorf("%s has no row", name)
		}
	}
}

// sources are all tests of a folder.
func sources(t *testing.T, folder string) string {
	files, err := filepath.Glob("../../" + folder + "/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}
