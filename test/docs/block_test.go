package docs_test

import (
	"os"
	"strings"
	"testing"
)

// A block is what stands between fences in a document.
type block struct {
	line    int // of what is in it
	kind    string
	text    string
	reason  string // why it is not run; empty: it is
	forEver bool   // its commands end only when they are ended
}

const (
	notRun  = "<!-- not run: "
	runsOn  = "<!-- runs on -->"
	comment = " -->"
)

// blocks returns those of a document that are in a language. Others are figures. A
// comment in the line before the fence says what is special about it.
func blocks(t *testing.T, file string) (all []block) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var now *block
	indent, before := "", ""
	for i, line := range strings.Split(string(text), "\n") {
		plain := strings.TrimSpace(line)
		switch {
		case !strings.HasPrefix(plain, "```") && now != nil:
			now.text += strings.TrimPrefix(line, indent) + "\n"
		case !strings.HasPrefix(plain, "```"):
		case now == nil:
			indent = line[:strings.Index(line, "`")]
			now = &block{line: i + 2, kind: plain[3:], forEver: before == runsOn}
			if reason, ok := strings.CutPrefix(before, notRun); ok {
				now.reason = strings.TrimSuffix(reason, comment)
			}
		default:
			if now.kind != "" && now.kind != "mermaid" {
				all = append(all, *now)
			}
			now = nil
		}
		if plain != "" {
			before = plain
		}
	}
	if now != nil {
		t.Fatalf("%s: the block of line %d has no end", file, now.line)
	}
	return all
}

// statements returns the commands of a block: each a line, or several that end with \.
func (b *block) statements() (all []string) {
	whole := ""
	for line := range strings.Lines(b.text) {
		whole += line
		if strings.HasSuffix(line, "\\\n") || strings.Count(whole, "'")%2 == 1 {
			continue
		}
		if s := strings.TrimSpace(whole); s != "" && s[0] != '#' {
			all = append(all, s)
		}
		whole = ""
	}
	return all
}

// A turn is a command of a transcript, and what the document says it answers.
type turn struct {
	line            int
	command, answer string
}

// turns returns those of a transcript.
func (b *block) turns() (all []turn) {
	for i, line := range strings.Split(strings.TrimSuffix(b.text, "\n"), "\n") {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			all = append(all, turn{line: b.line + i, command: command})
		} else if len(all) > 0 {
			all[len(all)-1].answer += line + "\n"
		}
	}
	return all
}
