package webpush

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// shown writes a store down: whose the endpoints are, and who wants the topic t.
func shown(t *testing.T, s Store) string {
	t.Helper()
	var b strings.Builder
	for _, user := range []string{"ann", "ben"} {
		all, err := s.Of(t.Context(), user)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range all {
			fmt.Fprintf(&b, "%s:%s ", user, x.Endpoint)
		}
	}
	users, err := s.Users(t.Context(), "t")
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(b.String(), users)
}

// Both stores know the same, and the file knows it still after it was opened again.
func TestStores(t *testing.T) {
	name := filepath.Join(t.TempDir(), "webpush")
	limits := Limits{MaxSubscriptions: 4, MaxPerUser: 2}
	file, err := OpenFile(name, limits)
	if err != nil {
		t.Fatal(err)
	}
	stores := []Store{NewMemory(limits), file}
	for _, step := range []struct {
		do   string // user, endpoint and topic; "-" forgets
		want string
	}{
		{"ann 1 t", "ann:1 [ann]"},
		{"ann 1 t", "ann:1 [ann]"},
		{"ann 2 t", "ann:1 ann:2 [ann]"},
		{"ann 3 u", "ann:2 ann:3 [ann]"}, // the oldest goes
		{"ben 2 t", "ann:3 ben:2 [ben]"}, // the browser has another user now
		{"ben -9", "ann:3 ben:2 [ben]"},
		{"ann -2", "ann:3 ben:2 [ben]"}, // it is not Ann's any more
		{"ben 4 u", "ann:3 ben:2 ben:4 [ben]"},
		{"cid 5 u", "ann:3 ben:2 ben:4 [ben]"},
		{"dan 6 u", "ann:3 ben:2 ben:4 [ben]"}, // refused
		{"ben 6 t", "ann:3 ben:4 ben:6 [ben]"}, // this one has the place of another
	} {
		words := append(strings.Fields(step.do), "")
		for _, s := range stores {
			var err error
			if endpoint, forget := strings.CutPrefix(words[1], "-"); forget {
				err = s.Delete(t.Context(), words[0], endpoint)
			} else {
				err = s.Put(t.Context(), words[0], Subscription{Endpoint: endpoint, Topics: []string{words[2]}})
			}
			if (err != nil) != (words[0] == "dan") {
				t.Errorf("%s in %T: %v", step.do, s, err)
			}
			if got := shown(t, s); got != step.want {
				t.Errorf("after %s in %T: %s, want %s", step.do, s, got, step.want)
			}
		}
	}
	want := shown(t, file)
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	tear(t, name)
	if file, err = OpenFile(name, limits); err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if got := shown(t, file); got != want {
		t.Errorf("after a restart %s, want %s", got, want)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// tear adds half a line, as a process that was killed leaves it.
func tear(t *testing.T, name string) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(`{"user":"ann","put":{"endpo`); err != nil {
		t.Fatal(err)
	}
}

// What is out of date does not pile up.
func TestTheFileIsWrittenAnew(t *testing.T) {
	name := filepath.Join(t.TempDir(), "webpush")
	f, err := OpenFile(name, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i := range 5 * slack {
		if err := f.Put(t.Context(), "ann", Subscription{Endpoint: fmt.Sprint(i % 3)}); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(name)
	if n := strings.Count(string(data), "\n"); err != nil || n > slack+10 || n != f.lines {
		t.Errorf("%d lines, %v", n, err)
	}
}

func TestAFileThatIsNone(t *testing.T) {
	name := filepath.Join(t.TempDir(), "webpush")
	if err := os.WriteFile(name, []byte("{}\nhello\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFile(name, Limits{}); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("got %v", err)
	}
}
