package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/mochibosh/mochibosh/backends/bus/webpush"
)

// Every curl command in the documents, run against the demo, answers what the
// document says. Words in capitals in an answer stand for what the server
// made up; they are filled in where they come again. "…" stands for anything.
func TestTranscripts(t *testing.T) {
	for _, file := range []string{"../README.md", "../docs/push-v1.md"} {
		t.Run(file, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			chat := startChat(t, webpush.Options{})
			server := httptest.NewServer(chat)
			defer server.Close()
			defer chat.manager.Shutdown(t.Context())

			commands := curls(string(text))
			if len(commands) == 0 {
				t.Fatal("no commands")
			}
			known := map[string]string{}
			for _, c := range commands {
				got := c.run(t, server.URL, known)
				if err := learn(c.answer, got, known); err != nil {
					t.Errorf("line %d: %s\n%v", c.line, c.args, err)
				}
			}
		})
	}
}

// command is a line that begins with "$ curl", and what follows it.
type command struct {
	line   int
	args   []string
	answer string
}

func curls(text string) (all []command) {
	inside := false
	for i, line := range strings.Split(text, "\n") {
		switch {
		case line == "```console":
			inside = true
		case strings.HasPrefix(line, "```"):
			inside = false
		case !inside:
		case strings.HasPrefix(line, "$ curl "):
			all = append(all, command{line: i + 1, args: words(line[len("$ curl "):])})
		case len(all) > 0:
			all[len(all)-1].answer += line + "\n"
		}
	}
	return all
}

// words splits as a shell does, as far as the documents need it.
func words(line string) (all []string) {
	for _, m := range regexp.MustCompile(`'([^']*)'|(\S+)`).FindAllStringSubmatch(line, -1) {
		all = append(all, m[1]+m[2])
	}
	return all
}

// run does what curl would do.
func (c command) run(t *testing.T, server string, known map[string]string) string {
	t.Helper()
	method, url, body := "GET", "", ""
	for i := 0; i < len(c.args); i++ {
		switch arg := c.args[i]; arg {
		case "-s", "-N", "-sN":
		case "-d":
			i++
			method, body = "POST", fill(c.args[i], known)
		default:
			url = strings.Replace(fill(arg, known), "http://127.0.0.1:8888", server, 1)
		}
	}
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

var capitals = regexp.MustCompile(`\b[A-Z]{3,}\b`)

// fill puts in what is known.
func fill(s string, known map[string]string) string {
	return capitals.ReplaceAllStringFunc(s, func(name string) string {
		if value, ok := known[name]; ok {
			return value
		}
		return name
	})
}

// learn compares an answer with what the document says, and remembers what
// the new words in capitals stand for.
func learn(want, got string, known map[string]string) error {
	var names []string
	pattern := capitals.ReplaceAllStringFunc(regexp.QuoteMeta(strings.TrimSpace(want)), func(name string) string {
		if value, ok := known[name]; ok {
			return regexp.QuoteMeta(value)
		}
		names = append(names, name)
		return `([^"]+)`
	})
	pattern = strings.ReplaceAll(pattern, "…", ".*")
	found := regexp.MustCompile("^" + pattern + "$").FindStringSubmatch(strings.TrimSpace(got))
	if found == nil {
		return fmt.Errorf("answered %s\nwant     %s", got, fill(want, known))
	}
	for i, name := range names {
		known[name] = found[i+1]
	}
	return nil
}
