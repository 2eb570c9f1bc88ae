package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// A place is where the file has a session.
type place struct {
	revision uint64
	at       int64 // of its snapshot; zero: it is not written yet
	size     int
}

// A reading is what the file has in it.
type reading struct {
	size     int64 // of what is whole
	torn     bool  // something follows it that is not
	run      run   // the last process that wrote
	clean    bool  // it ended in good order
	complete bool
}

// A run is how a process writes.
type run struct {
	durability Durability
	boot       string
}

func (r run) encoded() []byte { return []byte(r.durability.String() + " " + r.boot) }

func parseRun(body []byte) run {
	word, boot, _ := strings.Cut(string(body), " ")
	r := run{boot: boot}
	_ = r.durability.UnmarshalText([]byte(word)) // one that is not known promises nothing
	return r
}

// check looks at the whole file before anything of it counts.
func check(f *os.File) (r reading, err error) {
	info, err := f.Stat()
	if err != nil {
		return r, err
	}
	size := info.Size()
	line := make([]byte, len(heading))
	if n, err := f.ReadAt(line, 0); err != nil && err != io.EOF {
		return r, err
	} else if string(line[:n]) != heading {
		return r, fmt.Errorf("begins with %.40q instead of %q: it is of another version, or no state of mochibosh", line[:n], heading)
	}
	var buf, records []byte
	for at := int64(len(heading)); ; {
		r.size = at
		if records, buf, at, err = readBatch(f, at, size, buf); err != nil {
			break
		}
		if err := eachRecord(records, r.note); err != nil {
			return r, err
		}
	}
	switch {
	case err == io.EOF:
	case err != errTorn:
		return r, err
	default:
		r.torn, r.clean = true, false
		// A process that was killed leaves an unfinished batch at the end, and
		// nothing else. What the system had not written yet when the machine
		// failed may be missing anywhere.
		if r.run.durability != Interval && wholeBatchAfter(f, r.size+1, size) {
			return r, fmt.Errorf("damaged at byte %d", r.size)
		}
	}
	if !r.complete {
		return r, fmt.Errorf("damaged: it ends at byte %d, before it is complete", r.size)
	}
	return r, nil
}

// note takes a record as far as it is about the file.
func (r *reading) note(kind byte, body []byte, _ int) error {
	r.clean = false
	switch kind {
	case kindRun:
		r.run = parseRun(body)
	case kindComplete:
		r.complete = true
	case kindEnd:
		r.clean = true
	case kindSession:
		_, rest, err := splitID(body)
		if _, n := binary.Uvarint(rest); err == nil && n <= 0 {
			err = errors.New("a session has no revision")
		}
		return err
	case kindDeleted:
		_, _, err := splitID(body)
		return err
	case kindBus:
	default:
		return fmt.Errorf("a record is of the unknown kind %q", kind)
	}
	return nil
}

// load reads what was checked: where the sessions are, and what the bus says.
func load(f *os.File, size int64, sessions map[string]*place, bus func([]byte) error) error {
	var buf, records []byte
	var err error
	for at := int64(len(heading)); at < size; {
		start := at + int64(batchHeader)
		if records, buf, at, err = readBatch(f, at, size, buf); err != nil {
			return err
		}
		err = eachRecord(records, func(kind byte, body []byte, i int) error {
			switch kind {
			case kindSession:
				id, rest, _ := splitID(body)
				revision, n := binary.Uvarint(rest)
				skip := len(body) - len(rest) + n
				sessions[id] = &place{revision, start + int64(i+skip), len(body) - skip}
			case kindDeleted:
				id, _, _ := splitID(body)
				delete(sessions, id)
			case kindBus:
				return bus(body)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
