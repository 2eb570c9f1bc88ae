package main

import (
	"fmt"
	"path"
	"strings"
)

const preamble = `# Conformance

What the specifications demand of mochibosh, requirement by requirement, and
the tests that show it. ` + "`make conformance`" + ` writes this page, from
[requirements.tsv](requirements.tsv) and from the names of the tests:

- **tested**: the tests named here have the number in their name, or in their
  attribute ` + "`" + attribute + "`" + `. ` + "`make test`" + ` checks that each of them ran, and passed.
- **client**, **server**: what a client, or the XMPP server, has to do.
- **by design**: there is nothing to test, or we do otherwise; the reason follows.
- **open**: no test shows it yet.

Who is meant: CM, the connection manager; R, the same as a client of the XMPP
server; S, the server of a WebSocket; C, a client. Levels are the words of the
specifications; *def* is how the protocol works, *derived* follows from other
requirements. A legacy client is one that gave no ` + "`ver`" + `; *hb* is the
namespace of the wrapper.
`

// state is what the report says of a requirement.
func (r requirement) state(tests []place) string {
	switch {
	case len(tests) > 0:
		return "tested"
	case r.Waived == byDesign:
		return "by design"
	case r.Waived != "":
		return r.Waived
	}
	return "open"
}

var states = []string{"tested", "by design", byClient, byServer, "open"}

// report writes docs/conformance.md.
func report(all []requirement, tests named) string {
	var b strings.Builder
	b.WriteString(preamble)
	fmt.Fprintf(&b, "\n| | %s | all |\n|---|%s\n", strings.Join(states, " | "), strings.Repeat("---:|", len(states)+1))
	total := make([]int, len(states))
	for _, part := range parts {
		count := make([]int, len(states))
		for _, r := range of(part.Letter, all) {
			for i, s := range states {
				if r.state(tests[r.Number]) == s {
					count[i]++
					total[i]++
				}
			}
		}
		b.WriteString(counts(part.Title, count))
	}
	b.WriteString(counts("**all**", total))
	for _, part := range parts {
		fmt.Fprintf(&b, "\n## %s\n\n", part.Title)
		if part.About != "" {
			b.WriteString(part.About + "\n\n")
		}
		b.WriteString("| | § | level | who | requirement | state | tests |\n|---|---|---|---|---|---|---|\n")
		for _, r := range of(part.Letter, all) {
			places := tests[r.Number]
			state := r.state(places)
			if state == "by design" {
				state += ": " + r.Reason
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n",
				r.Number, r.Section, r.Level, r.Who, cell(r.Text), cell(state), links(places))
		}
	}
	return b.String()
}

func of(letter string, all []requirement) (some []requirement) {
	for _, r := range all {
		if strings.HasPrefix(r.Number, letter+"-") {
			some = append(some, r)
		}
	}
	return some
}

func counts(title string, count []int) string {
	line, sum := "| "+title, 0
	for _, n := range count {
		line += fmt.Sprintf(" | %d", n)
		sum += n
	}
	return fmt.Sprintf("%s | %d |\n", line, sum)
}

// cell makes a text fit a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// links names the tests, each with a link to its file.
func links(places []place) string {
	var all []string
	for _, p := range places {
		name := p.Test
		if name == "" {
			name = path.Base(p.File)
		}
		all = append(all, fmt.Sprintf("[%s](../%s)", name, p.File))
	}
	return strings.Join(all, ", ")
}
