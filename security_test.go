package mochibosh_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each attack in SECURITY.md has tests that exist, and each test of an attack is
// there.
func TestAttacksAreDocumented(t *testing.T) {
	page := read(t, "SECURITY.md")
	rows := regexp.MustCompile(`(?m)^\| [^|]+ \| [^|]+ \| [^|]+ \| (.+) \|$`).FindAllStringSubmatch(page, -1)
	if len(rows) < 20 {
		t.Fatalf("%d rows can be read", len(rows))
	}
	for _, row := range rows[1:] { // behind the heading
		if strings.HasPrefix(row[1], "---") {
			continue
		}
		for _, m := range regexp.MustCompile("(?:`([a-z/]+)` )?`(Test\\w+)`").FindAllStringSubmatch(row[1], -1) {
			folder, name := m[1], m[2]
			if folder == "" {
				folder = "test/attacks"
			}
			if !strings.Contains(sources(t, folder), "func "+name+"(t *testing.T)") {
				t.Errorf("there is no %s in %s", name, folder)
			}
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(t `).FindAllStringSubmatch(sources(t, "test/attacks"), -1) {
		if !strings.Contains(page, "`"+m[1]+"`") {
			t.Errorf("%s is not in SECURITY.md", m[1])
		}
	}
}

// sources are all tests of a folder.
func sources(t *testing.T, folder string) string {
	t.Helper()
	files, err := filepath.Glob(folder + "/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range files {
		all.WriteString(read(t, f))
	}
	return all.String()
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
