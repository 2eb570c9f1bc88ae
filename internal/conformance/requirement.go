package main

import (
	"bufio"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// requirement is a line of docs/requirements.tsv.
type requirement struct {
	Number  string // B-07.3
	Section string // of its specification
	Level   string // MUST, SHOULD …
	Who     string // CM, C, S, R, both …
	Text    string

	// Waived says why there need not be a test: one of the waivers, or empty.
	Waived string
	Reason string // of byDesign
}

// What needs no test of ours.
const (
	byClient = "client" // the client's duty
	byServer = "server" // the XMPP server's
	byDesign = "design" // there is nothing to test, or we do otherwise, for a reason
)

// parts are the first letters of the numbers, in the order of the report.
var parts = []struct{ Letter, Title, About string }{
	{"B", "XEP-0124, BOSH", ""},
	{"X", "XEP-0206, XMPP over BOSH", ""},
	{"W", "RFC 7395, XMPP over WebSocket", ""},
	{"S", "RFC 6455, WebSocket", ""},
	{"R", "RFC 6120 and RFC 7590, the way to the XMPP server", ""},
	{"M", "XEP-0198, stream management", "It is between client and server; what counts here is that it passes untouched."},
	{"D", "XEP-0156 and RFC 6415, discovery", ""},
	{"L", "XEP-0368, direct TLS to the XMPP server", ""},
	{"C", "Fetch, requests of other origins", ""},
	{"H", "RFC 9110 and RFC 9112, HTTP", ""},
	{"T", "Traps", "Where implementations are known to differ or to break, and what we do."},
	{"A", "Gaps", "Where the specifications contradict themselves or say nothing, and how we read them."},
}

// numberPattern finds numbers in the names of tests, where "go test" has made
// underscores of spaces.
var numberPattern = regexp.MustCompile(`(?:^|[^A-Za-z0-9])([A-Z]-(?:[0-9]{1,2}|[A-Z]{1,2})(?:\.[0-9]+)?)`)

// numbersIn returns the numbers in a name.
func numbersIn(name string) (numbers []string) {
	for _, m := range numberPattern.FindAllStringSubmatchIndex(name, -1) {
		number, rest := name[m[2]:m[3]], name[m[3]:]
		if rest != "" && isAlphanumeric(rest[0]) || !strings.ContainsAny(number, "0123456789") {
			continue // UTF-8, A-B
		}
		numbers = append(numbers, number)
	}
	return numbers
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// readRequirements reads docs/requirements.tsv: a line of column names, then
// one requirement to a line.
func readRequirements(path string) (all []requirement, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	seen := map[string]bool{}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		if n == 1 {
			continue
		}
		fields := strings.Split(lines.Text(), "\t")
		if len(fields) != 7 {
			return nil, fmt.Errorf("%s:%d: %d columns, not 7", path, n, len(fields))
		}
		r := requirement{fields[0], fields[1], fields[2], fields[3], fields[4], fields[5], fields[6]}
		switch {
		case len(numbersIn(r.Number)) != 1 || numbersIn(r.Number)[0] != r.Number:
			err = fmt.Errorf("%s:%d: %q is no number", path, n, r.Number)
		case seen[r.Number]:
			err = fmt.Errorf("%s:%d: %s stands there twice", path, n, r.Number)
		case r.Text == "":
			err = fmt.Errorf("%s:%d: %s says nothing", path, n, r.Number)
		case r.Waived != "" && r.Waived != byClient && r.Waived != byServer && r.Waived != byDesign:
			err = fmt.Errorf("%s:%d: nothing is waived by %q", path, n, r.Waived)
		case (r.Waived == byDesign) != (r.Reason != ""):
			err = fmt.Errorf("%s:%d: a reason is for what is so by design, and needed there", path, n)
		}
		if err != nil {
			return nil, err
		}
		seen[r.Number] = true
		all = append(all, r)
	}
	return all, lines.Err()
}
