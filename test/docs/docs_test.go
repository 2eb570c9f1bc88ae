// Package docs runs what the documents say: every command, every transcript, every
// configuration, every piece of a program. What cannot be run says why, in a comment
// before it: <!-- not run: reason -->.
package docs_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

const root = "../../"

// elsewhere are blocks that other tests run, by document and kind.
var elsewhere = map[string]map[string]string{
	"README.md":          {"console": "demo/transcript_test.go", "js": "web/test/docs.test.mjs"},
	"docs/push-v1.md":    {"console": "demo/transcript_test.go"},
	"docs/client.md":     {"js": "web/test/docs.test.mjs", "html": "web/test/docs.test.mjs"},
	"docs/quickstart.md": {"html": "web/test/docs.test.mjs"},
	"docs/webpush.md":    {"js": "web/test/docs.test.mjs"},
	"CONTRIBUTING.md":    {"js": "web/test/docs.test.mjs"},
}

func TestDocuments(t *testing.T) {
	files := []string{"README.md", "CONTRIBUTING.md", "SECURITY.md"}
	more, err := filepath.Glob(root + "docs/*.md")
	if err != nil || len(more) < 10 {
		t.Fatal(more, err)
	}
	for _, f := range more {
		files = append(files, "docs/"+filepath.Base(f))
	}
	bin := build(t)
	var ran, others, left atomic.Int64
	t.Run("all", func(t *testing.T) {
		for _, file := range files {
			t.Run(file, func(t *testing.T) {
				t.Parallel()
				d := newDocument(t, file, bin)
				for _, b := range blocks(t, root+file) {
					if b.reason != "" {
						t.Logf("line %d: not run: %s", b.line, b.reason)
						left.Add(1)
					} else if by := elsewhere[file][b.kind]; by != "" {
						if text, err := os.ReadFile(root + by); err != nil || !strings.Contains(string(text), filepath.Base(file)) {
							t.Errorf("line %d: %s does not run it: %v", b.line, by, err)
						}
						others.Add(1)
					} else {
						d.run(t, &b)
						ran.Add(1)
					}
				}
			})
		}
	})
	t.Logf("%d blocks run, %d by other tests, %d not", ran.Load(), others.Load(), left.Load())
	if ran.Load() < 30 {
		t.Error("hardly any block is run")
	}
}

func (d *document) run(t *testing.T, b *block) {
	switch b.kind {
	case "sh":
		for _, s := range b.statements() {
			if err := d.statement(t, s, b.forEver); err != nil {
				t.Errorf("line %d: %s\n%v", b.line, s, err)
			}
		}
	case "console":
		for _, turn := range b.turns() {
			out, err := d.command(turn.command)
			if err == nil {
				err = d.compare(turn.answer, out)
			}
			if err != nil {
				t.Errorf("line %d: %s\n%v", turn.line, turn.command, err)
			}
		}
	case "toml":
		if err := d.check(b); err != nil {
			t.Errorf("line %d: %v", b.line, err)
		}
	case "json":
		for line := range strings.Lines(b.text) {
			if line = strings.TrimSpace(line); line != "" && !json.Valid([]byte(line)) {
				t.Errorf("line %d: no JSON: %s", b.line, line)
			}
		}
	case "go":
		if examples := flat(t); !strings.Contains(examples, strings.Join(strings.Fields(b.text), " ")) {
			t.Errorf("line %d: no example has this:\n%s", b.line, b.text)
		}
	default:
		t.Errorf("line %d: nobody runs a block in %s", b.line, b.kind)
	}
}

// check has the program read a configuration.
func (d *document) check(b *block) error {
	file := filepath.Join(d.dir, "mochibosh.toml")
	if err := os.WriteFile(file, []byte(d.here(b.text)), 0o600); err != nil {
		return err
	}
	said, err := d.command("mochibosh check --push on --config mochibosh.toml")
	if err != nil {
		_, problems, _ := strings.Cut(said, "Problems:")
		return fmt.Errorf("%w\n%s", err, problems)
	}
	return nil
}

// flat returns all examples, with nothing but single spaces between words.
func flat(t *testing.T) string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"example_test.go", "*/example_test.go", "*/*/example_test.go", "*/*/*/example_test.go"} {
		files, err := filepath.Glob(root + pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, strings.Fields(string(text))...)
		}
	}
	return strings.Join(all, " ")
}

// build builds the program.
func build(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	cmd := exec.Command("go", "build", "-o", folder, "./cmd/mochibosh")
	cmd.Dir = root
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	return folder
}
