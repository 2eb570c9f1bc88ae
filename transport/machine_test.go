package transport

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

var rewrite = flag.Bool("rewrite", false, "write what the machine did into testdata/*.txt")

// TestMachine runs the scripts in testdata. They are written to be read:
// comments tell the story, commands stand above "----", and what the machine
// did about them below.
//
//	new [hold=1] [requests=2] [wait=60s] [inactivity=30s] [maxpause=2m] [first=100] [in=N] [out=N] [onestream]
//	req N ["frame"…] [ack=N] [wait=D] [pause=D] [end]
//	push N ["frame"…]            pull [attach=N] [after=N] [wait=D] [again]
//	send ["frame"…]              send stream "frame"…             sendall "frame"…
//	ack N                        attach N
//	promise N                    a backend waits for the receipt of a frame
//	cancel N | cancel pull       the connection of the newest copy is gone
//	hurry N | hurry pull         it is needed for something else
//	stall | resume               backends take nothing for a while, then everything
//	terminate CONDITION [text]   tick D   kept   deadline
func TestMachine(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { runScript(t, file) })
	}
}

func runScript(t *testing.T, file string) {
	script, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var s scripted
	var out, want, got bytes.Buffer
	commands, expecting, start := 0, false, 0
	compare := func() {
		if !*rewrite && got.String() != want.String() {
			t.Errorf("%s:%d: the machine did\n%swant\n%s", file, start, got.String(), want.String())
		}
		want.Reset()
		got.Reset()
		commands, expecting = 0, false
	}
	lines := bufio.NewScanner(bytes.NewReader(script))
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		switch {
		case expecting && line != "":
			fmt.Fprintln(&want, line)
			continue // the machine's own words are written instead
		case expecting:
			compare()
		case line == "----":
			if got.Len() == 0 {
				got.WriteString("ok\n")
			}
			fmt.Fprintf(&out, "----\n%s", got.String())
			expecting = true
			continue
		case line != "" && line[0] != '#':
			if commands++; commands == 1 {
				start = n
			}
			s.log = &got
			if err := s.run(line); err != nil {
				t.Fatalf("%s:%d: %v", file, n, err)
			}
		}
		fmt.Fprintln(&out, line)
	}
	compare()
	if *rewrite {
		if err := os.WriteFile(file, out.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// scripted is a machine with a clock, a list of connections and a log.
type scripted struct {
	m          machine
	start, now time.Time
	conns      map[string]int    // copies of a request
	ids        map[string]uint64 // slot of the newest copy
	stalled    bool
	log        *bytes.Buffer
}

// A command is a line of a script: words, and name=value pairs.
type command struct {
	name   string
	words  []string
	frames []Frame
	opts   map[string]string
}

func parseCommand(line string) (c command, err error) {
	c.opts = map[string]string{}
	for rest := line; rest != ""; rest = strings.TrimLeft(rest, " ") {
		if rest[0] == '"' {
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil {
				return c, err
			}
			rest = rest[len(quoted):]
			data, _ := strconv.Unquote(quoted)
			c.frames = append(c.frames, Frame{Data: []byte(data)})
			continue
		}
		word, tail, _ := strings.Cut(rest, " ")
		rest = tail
		if k, v, ok := strings.Cut(word, "="); ok {
			c.opts[k] = v
		} else {
			c.words = append(c.words, word)
		}
	}
	c.name, c.words = c.words[0], append(c.words[1:], "", "")
	return c, nil
}

func (c command) has(word string) bool {
	return strings.Contains(" "+strings.Join(c.words, " ")+" ", " "+word+" ")
}

func (c command) number(name string, otherwise int) int {
	if s, ok := c.opts[name]; ok {
		otherwise, _ = strconv.Atoi(s)
	}
	return otherwise
}

func (c command) duration(name, otherwise string) time.Duration {
	if s, ok := c.opts[name]; ok {
		otherwise = s
	}
	d, _ := time.ParseDuration(strings.ReplaceAll(otherwise, "-1ns", ""))
	if strings.HasSuffix(otherwise, "-1ns") {
		d--
	}
	return d
}

func (s *scripted) run(line string) error {
	c, err := parseCommand(line)
	if err != nil {
		return err
	}
	n, _ := strconv.ParseUint(c.words[0], 10, 64)
	var fx effects
	switch c.name {
	case "new":
		s.start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		s.now, s.conns, s.ids, s.stalled = s.start, map[string]int{}, map[string]uint64{}, false
		s.m = newMachine(Params{
			Hold: c.number("hold", 1), Requests: c.number("requests", 2), FirstSeq: uint64(c.number("first", 100)),
			Wait: c.duration("wait", "60s"), Inactivity: c.duration("inactivity", "30s"), MaxPause: c.duration("maxpause", "2m"),
			MaxInbox: c.number("in", 10000), MaxOutbox: c.number("out", 10000), OneStream: c.has("onestream"),
		}, s.now)
	case "req":
		conn := s.conn(c.words[0])
		id, err := s.m.exchange(s.now, Request{
			Seq: n, Frames: c.frames, AckSeq: uint64(c.number("ack", 0)),
			Wait: c.duration("wait", "0s"), Pause: c.duration("pause", "0s"), End: c.has("end"),
		}, s.reply(conn), &fx)
		s.opened(c.words[0], conn, id, err, &fx)
	case "push":
		taken, err := s.m.push(s.now, n, c.frames, &fx)
		s.deliver(&fx)
		fmt.Fprintf(s.log, "%d taken, accepted up to %d%s\n", taken, s.m.in.accepted(), failure(err))
	case "pull":
		conn := s.conn("pull")
		id, err := s.m.pull(s.now, Pull{
			Attach: uint64(c.number("attach", 0)), After: uint64(c.number("after", 0)),
			Wait: c.duration("wait", "60s"), Again: c.has("again"),
		}, s.reply(conn), &fx)
		s.opened("pull", conn, id, err, &fx)
	case "send":
		n, err := s.m.sendSome(s.now, c.words[0], data(c.frames), &fx)
		if err != nil {
			fmt.Fprintf(s.log, "%q:%s\n", c.frames[n].Data, failure(err))
		}
		s.deliver(&fx)
	case "sendall":
		if err := s.m.sendAll(s.now, c.words[0], data(c.frames), &fx); err != nil {
			fmt.Fprintf(s.log, "none of them:%s\n", failure(err))
		}
		s.deliver(&fx)
	case "promise":
		s.m.promise(receipt{frame: n})
	case "ack":
		if err := s.m.ack(s.now, n); err != nil {
			fmt.Fprintf(s.log, "ack %d:%s\n", n, failure(err))
		}
		s.deliver(&fx)
	case "attach":
		err := s.m.attachTo(s.now, n, uint64(c.number("after", 0)), &fx)
		s.deliver(&fx)
		if err != nil {
			fmt.Fprintf(s.log, "attach %d:%s\n", n, failure(err))
		}
	case "cancel":
		open := s.m.cancel(s.now, s.ids[c.words[0]], &fx)
		s.deliver(&fx)
		if !open {
			fmt.Fprintln(s.log, "was answered before")
		}
	case "hurry":
		s.m.hurry(s.now, s.ids[c.words[0]], &fx)
		s.deliver(&fx)
	case "stall", "resume":
		if s.stalled = c.name == "stall"; !s.stalled {
			s.deliver(&fx)
		}
	case "terminate":
		text := strings.TrimSpace(strings.Join(c.words[1:], " "))
		s.m.terminate(s.now, &Termination{Condition: Condition(c.words[0]), Text: text}, &fx)
		s.deliver(&fx)
	case "tick":
		s.tick(c.duration("", c.words[0]))
	case "kept":
		fmt.Fprintf(s.log, "frames %s in %d bytes; answers to %s\n", span(s.m.out.base+1, s.m.out.last()), s.m.out.bytes, s.kept())
	case "deadline":
		if at, ok := s.m.deadline(); ok {
			fmt.Fprintf(s.log, "at %v\n", at.Sub(s.start))
		} else {
			fmt.Fprintln(s.log, "never")
		}
	default:
		return errors.New("unknown command " + c.name)
	}
	return nil
}

// tick lets time pass, and wakes the machine when it wants to be woken.
func (s *scripted) tick(d time.Duration) {
	until := s.now.Add(d)
	for rounds := 0; ; rounds++ {
		at, ok := s.m.deadline()
		if !ok || at.After(until) {
			s.now = until
			return
		}
		if rounds > 100 {
			fmt.Fprintf(s.log, "the deadline stays at %v\n", at.Sub(s.start))
			return
		}
		if at.After(s.now) {
			s.now = at
		}
		var fx effects
		over := s.m.end
		s.m.advance(s.now, &fx)
		s.deliver(&fx)
		if s.m.end != over {
			fmt.Fprintf(s.log, "at %v: %v\n", s.now.Sub(s.start), s.m.end)
		}
	}
}

// conn names the connection of a request: 101, 101#2 for a copy of it.
func (s *scripted) conn(name string) string {
	if s.conns[name]++; s.conns[name] > 1 {
		return fmt.Sprintf("%s#%d", name, s.conns[name])
	}
	return name
}

func (s *scripted) opened(name, conn string, id uint64, err error, fx *effects) {
	s.deliver(fx)
	switch {
	case err != nil:
		fmt.Fprintf(s.log, "%s:%s\n", conn, failure(err))
	case id == s.m.cursor.id && id != 0 || s.m.slotOf(id):
		fmt.Fprintf(s.log, "%s is held\n", conn)
		s.ids[name] = id
	}
}

func (m *machine) slotOf(id uint64) bool {
	for _, slot := range m.slots {
		if slot.id == id && id != 0 {
			return true
		}
	}
	return false
}

// deliver writes down what is to be done.
func (s *scripted) deliver(fx *effects) {
	if len(fx.accepted) > 0 {
		fmt.Fprintf(s.log, "backends get %q\n", texts(fx.accepted))
	}
	for _, r := range fx.replies() {
		r.to(r.response)
	}
	if s.m.receipts != nil {
		for _, r := range s.m.settled() {
			if r.err == nil {
				fmt.Fprintf(s.log, "%d is acknowledged\n", r.frame)
			} else {
				fmt.Fprintf(s.log, "%d is not:%s\n", r.frame, failure(r.err))
			}
		}
	}
	if more := (effects{}); !s.stalled && s.m.in.pending > 0 {
		s.m.taken(s.now, s.m.in.pending, &more)
		s.deliver(&more)
	}
}

// reply writes an answer as a carrier would.
func (s *scripted) reply(conn string) func(Response) {
	return func(r Response) {
		fmt.Fprintf(s.log, "at %v: %s is ", s.now.Sub(s.start), conn)
		switch {
		case r.Replaced:
			fmt.Fprint(s.log, "replaced")
		case len(r.Frames) == 0:
			fmt.Fprint(s.log, "answered")
		default:
			fmt.Fprintf(s.log, "answered with %s", span(r.First, r.Last()))
		}
		for _, f := range r.Frames {
			if f.Stream != "" {
				fmt.Fprintf(s.log, " %s:", f.Stream)
			}
			fmt.Fprintf(s.log, " %q", f.Data)
		}
		if r.Seq != 0 && r.Ack != r.Seq {
			fmt.Fprintf(s.log, " ack=%d", r.Ack)
		}
		if r.End != nil {
			fmt.Fprintf(s.log, " end=%s", r.End.Condition)
		}
		fmt.Fprintln(s.log)
	}
}

func failure(err error) string {
	if err == nil {
		return ""
	}
	return " " + strings.TrimPrefix(err.Error(), "transport: ")
}

func data(frames []Frame) (out [][]byte) {
	for _, f := range frames {
		out = append(out, f.Data)
	}
	return out
}

func span(first, last uint64) string {
	switch {
	case first > last:
		return "none"
	case first == last:
		return fmt.Sprint(first)
	}
	return fmt.Sprintf("%d-%d", first, last)
}

func (s *scripted) kept() string {
	if len(s.m.answers) == 0 {
		return "none"
	}
	return span(s.m.answers[0].seq, s.m.answers[len(s.m.answers)-1].seq)
}
