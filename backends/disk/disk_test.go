package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mochibosh/mochibosh/transport"
)

// open opens the directory as the next process does. What the bus said is
// appended to said.
func open(t *testing.T, dir string, o Options, said *[]string) *Log {
	t.Helper()
	if said != nil {
		o.Load = func(r []byte) error { *said = append(*said, string(r)); return nil }
	}
	l, err := Open(dir, &o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.kill() })
	return l
}

// begun is open for a process that writes.
func begun(t *testing.T, dir string, o Options, said *[]string) *Log {
	t.Helper()
	l := open(t, dir, o, said)
	if err := l.Begin(); err != nil {
		t.Fatal(err)
	}
	return l
}

// kill ends a process without notice: what was not written is lost.
func (l *Log) kill() {
	l.mu.Lock()
	running := l.next != nil
	if running && !l.ending {
		l.next = newBatch()
	}
	l.ending = true
	l.more.Broadcast()
	l.mu.Unlock()
	if running {
		<-l.ended
		l.file.Close()
	}
	l.lock.Close()
}

func save(t *testing.T, l *Log, id, snapshot string, revision uint64) uint64 {
	t.Helper()
	next, err := l.Save(t.Context(), id, []byte(snapshot), revision)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

// sessions returns what there is of earlier processes.
func sessions(t *testing.T, l *Log) map[string]string {
	t.Helper()
	all := map[string]string{}
	if err := l.Each(func(id string, snapshot []byte, _ uint64) { all[id] = string(snapshot) }); err != nil {
		t.Fatal(err)
	}
	return all
}

func wantSessions(t *testing.T, l *Log, rule string, want ...string) {
	t.Helper()
	var got []string
	for id, snapshot := range sessions(t, l) {
		got = append(got, id+"="+snapshot)
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", rule, got, want)
	}
}

func TestWhatAKilledProcessLeaves(t *testing.T) {
	for _, d := range []Durability{Interval, Exchange} {
		t.Run(d.String(), func(t *testing.T) {
			dir := t.TempDir()
			l := begun(t, dir, Options{Durability: d}, nil)
			l.Append([]byte("said"))
			rev := save(t, l, "a", "first", 0)
			gone := save(t, l, "b", "gone", 0)
			save(t, l, "a", "second", rev)
			l.Delete(t.Context(), "b", gone)
			if err := l.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
			l.kill()

			var said []string
			l = begun(t, dir, Options{Durability: d}, &said)
			wantSessions(t, l, "the last of each", "a=second")
			if !slices.Equal(said, []string{"said"}) || l.NewEpoch || l.Refused != nil {
				t.Errorf("said %q, new epoch %v, refused %v", said, l.NewEpoch, l.Refused)
			}
			save(t, l, "a", "third", 2)
			l.kill()
			wantSessions(t, open(t, dir, Options{Durability: d}, nil), "and what the next wrote", "a=third")
		})
	}
}

func TestWhatAnOrderlyEndLeaves(t *testing.T) {
	for _, d := range []Durability{None, Interval, Exchange} {
		t.Run(d.String(), func(t *testing.T) {
			dir := t.TempDir()
			dump := func(emit func([]byte), last bool) {
				if last {
					emit([]byte("all"))
				}
			}
			l := begun(t, dir, Options{Durability: d, Dump: dump}, nil)
			if err := l.BeginLast(); err != nil {
				t.Fatal(err)
			}
			l.Append([]byte("said, and part of all"))
			save(t, l, "a", "x", 0)
			if err := l.Finish(); err != nil {
				t.Fatal(err)
			}
			var said []string
			l = open(t, dir, Options{Durability: d}, &said)
			wantSessions(t, l, "saved", "a=x")
			if !slices.Equal(said, []string{"all"}) {
				t.Errorf("said %q", said)
			}
			if err := l.Begin(); err != nil {
				t.Fatal(err)
			}
			l.kill()
			l = open(t, dir, Options{Durability: d}, nil)
			if d == None {
				wantSessions(t, l, "they went on in a process that keeps nothing")
			} else {
				wantSessions(t, l, "still there", "a=x")
			}
		})
	}
}

func TestRevisions(t *testing.T) {
	l := begun(t, t.TempDir(), Options{Durability: Interval}, nil)
	rev := save(t, l, "a", "1", 0)
	for _, stale := range []uint64{0, rev + 1} {
		if _, err := l.Save(t.Context(), "a", []byte("x"), stale); err != transport.ErrConflict {
			t.Errorf("revision %d of %d: %v", stale, rev, err)
		}
	}
	rev = save(t, l, "a", "2", rev)
	if snap, got, err := l.Load(t.Context(), "a"); err != nil || string(snap) != "2" || got != rev {
		t.Errorf("loaded %q, %d, %v", snap, got, err)
	}
	if _, _, err := l.Load(t.Context(), "b"); err != transport.ErrNoSession {
		t.Errorf("loaded what is not there: %v", err)
	}
}

// A batch that a killed process has not written whole was promised to nobody.
func TestTornBatches(t *testing.T) {
	dir := t.TempDir()
	l := begun(t, dir, Options{Durability: Exchange}, nil)
	save(t, l, "a", "whole", 0)
	whole := l.size
	save(t, l, "b", "torn", 0)
	l.kill()
	file := filepath.Join(dir, fileName)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for n := whole; n < int64(len(data)); n++ {
		if err := os.WriteFile(file, data[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		l := begun(t, dir, Options{Durability: Exchange}, nil)
		if l.Refused != nil {
			t.Fatalf("cut at %d of %d: %v", n, len(data), l.Refused)
		}
		wantSessions(t, l, fmt.Sprintf("cut at %d", n), "a=whole")
		save(t, l, "c", "after", 0)
		l.kill()
		l = open(t, dir, Options{}, nil)
		wantSessions(t, l, "written behind what is whole", "a=whole", "c=after")
		l.kill()
	}
}

// A file that is damaged, or that we do not know, is kept, and does not count.
func TestFilesAreRefused(t *testing.T) {
	write := func(t *testing.T) (dir string, data []byte) {
		dir = t.TempDir()
		l := begun(t, dir, Options{Durability: Exchange}, nil)
		for i := range 3 {
			save(t, l, fmt.Sprint(i), strings.Repeat("x", 100), 0)
		}
		l.kill()
		data, err := os.ReadFile(filepath.Join(dir, fileName))
		if err != nil {
			t.Fatal(err)
		}
		return dir, data
	}
	tests := []struct {
		name, want string
		damage     func(data []byte) []byte
	}{
		{"a bit in the middle", "damaged at byte", func(d []byte) []byte { d[len(d)/2] ^= 1; return d }},
		{"cut off in what was there at first", "before it is complete", func(d []byte) []byte { return d[:len(heading)+5] }},
		{"a newer version", `begins with "mochibosh state 2\n"`, func(d []byte) []byte { return []byte(strings.Replace(string(d), "state 1", "state 2", 1)) }},
		{"something else", `begins with "#!/bin/sh`, func([]byte) []byte { return []byte("#!/bin/sh\necho this is no state\n") }},
		{"nothing", "begins with", func([]byte) []byte { return nil }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir, data := write(t)
			data = test.damage(data)
			file := filepath.Join(dir, fileName)
			if err := os.WriteFile(file, data, 0o600); err != nil {
				t.Fatal(err)
			}
			l := begun(t, dir, Options{Durability: Exchange}, nil)
			if l.Refused == nil || !strings.Contains(l.Refused.Error(), test.want) || !strings.Contains(l.Refused.Error(), file) {
				t.Fatalf("refused: %v, want %q", l.Refused, test.want)
			}
			wantSessions(t, l, "it begins with nothing")
			aside, _ := filepath.Glob(file + ".refused-*")
			if len(aside) != 1 {
				t.Fatalf("put aside: %v", aside)
			}
			if kept, _ := os.ReadFile(aside[0]); string(kept) != string(data) {
				t.Error("it was changed")
			}
			save(t, l, "new", "x", 0)
		})
	}
	t.Run("what the bus cannot read", func(t *testing.T) {
		dir := t.TempDir()
		l := begun(t, dir, Options{Durability: Exchange}, nil)
		l.Append([]byte("nonsense"))
		l.Sync(t.Context())
		l.kill()
		l, err := Open(dir, &Options{Load: func([]byte) error { return errors.New("not of a bus") }})
		if err != nil || l.Refused == nil || !strings.Contains(l.Refused.Error(), "not of a bus") {
			t.Errorf("%v, refused: %v", err, l.Refused)
		}
		l.kill()
	})
}

// After a failure of the machine, Interval cannot tell what clients have seen.
func TestTheMachineFails(t *testing.T) {
	for _, d := range []Durability{Interval, Exchange} {
		t.Run(d.String(), func(t *testing.T) {
			dir := t.TempDir()
			l := open(t, dir, Options{Durability: d}, nil)
			l.boot = "before"
			if err := l.Begin(); err != nil {
				t.Fatal(err)
			}
			l.Append([]byte("said"))
			save(t, l, "a", "x", 0)
			l.kill()
			var said []string
			l = begun(t, dir, Options{Durability: d}, &said)
			if l.NewEpoch != (d == Interval) || !slices.Equal(said, []string{"said"}) {
				t.Errorf("new epoch %v, said %q", l.NewEpoch, said)
			}
			if d == Interval {
				wantSessions(t, l, "sessions have ended")
			} else {
				wantSessions(t, l, "sessions go on", "a=x")
			}
		})
	}
}

func TestOneProcessAtATime(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{}, nil)
	if _, err := Open(dir, nil); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("a second one: %v", err)
	}
	l.kill()
	open(t, dir, Options{}, nil)
}

// The file is written anew when most of it is out of date, while others write.
func TestCompaction(t *testing.T) {
	dir := t.TempDir()
	dump := func(emit func([]byte), _ bool) { emit([]byte("all")) }
	l := begun(t, dir, Options{Durability: Interval, CompactFrom: 20_000, Dump: dump}, nil)
	save(t, l, "idle", "still", 0)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			rev := uint64(0)
			for n := range 500 {
				next, err := l.Save(context.Background(), fmt.Sprint(i), fmt.Appendf(nil, "%d %s", n, strings.Repeat("x", 100)), rev)
				if err != nil {
					t.Error(err)
					return
				}
				rev = next
			}
		})
	}
	all.Wait()
	l.kill()
	if info, err := os.Stat(filepath.Join(dir, fileName)); err != nil || info.Size() > 40_000 {
		t.Errorf("%v bytes, %v", info.Size(), err)
	}
	var said []string
	l = open(t, dir, Options{}, &said)
	if got := sessions(t, l); len(got) != 5 || got["idle"] != "still" || !strings.HasPrefix(got["3"], "499 ") || l.Refused != nil {
		t.Errorf("%d sessions, %.5q, refused %v", len(got), got["3"], l.Refused)
	}
	if !slices.Contains(said, "all") {
		t.Errorf("said %q", said)
	}
}

// FuzzFile reads whatever it is given as a file.
func FuzzFile(f *testing.F) {
	dir := f.TempDir()
	l, err := Open(dir, &Options{Durability: Exchange})
	if err != nil {
		f.Fatal(err)
	}
	l.Begin()
	l.Append([]byte("said"))
	l.Save(f.Context(), "a", []byte("x"), 0)
	l.Save(f.Context(), "b", []byte("y"), 0)
	l.kill()
	data, err := os.ReadFile(filepath.Join(dir, fileName))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(data[:len(data)-3])
	f.Add([]byte(heading))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, fileName), data, 0o600); err != nil {
			t.Fatal(err)
		}
		l := begun(t, dir, Options{Durability: Exchange}, nil)
		before := sessions(t, l)
		save(t, l, "one more", "z", uint64(revisionOf(l, "one more")))
		l.kill()
		l = open(t, dir, Options{}, nil)
		if after := sessions(t, l); len(after) < len(before) || after["one more"] != "z" || l.Refused != nil {
			t.Errorf("%d sessions, then %d; refused: %v", len(before), len(after), l.Refused)
		}
		l.kill()
	})
}

func revisionOf(l *Log, id string) uint64 {
	if p := l.sessions[id]; p != nil {
		return p.revision
	}
	return 0
}
