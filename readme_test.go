package mochibosh_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// What the README shows of Go stands, word for word, in examples that are
// compiled and run.
func TestReadmeShowsCompiledCode(t *testing.T) {
	readme := read(t, "README.md")
	examples := flat(read(t, "example_test.go") + read(t, "transport/example_test.go"))
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(readme, -1)
	if len(blocks) == 0 {
		t.Fatal("the README shows no Go")
	}
	for _, b := range blocks {
		if !strings.Contains(examples, flat(b[1])) {
			t.Errorf("no example has this:\n%s", b[1])
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// flat makes indentation not matter.
func flat(s string) string { return strings.Join(strings.Fields(s), " ") }
