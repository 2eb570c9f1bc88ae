package webpush

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// File is a store that outlives the process: what changes is appended to a file, one
// JSON object a line, and the file is written anew when most of it is out of date.
// One process at a time may have it.
type File struct {
	*Memory // which also guards the rest, by its lock
	name    string
	file    *os.File
	lines   int
}

// A change is a line of the file.
type change struct {
	User   string        `json:"user"`
	Put    *Subscription `json:"put,omitempty"`
	Delete string        `json:"delete,omitempty"` // an endpoint
}

// slack is how many lines may be out of date before it matters.
const slack = 1000

// OpenFile reads a file, or makes it, for its owner alone. A last line that was torn,
// when the process ended in the midst of it, counts as not written.
func OpenFile(name string, l Limits) (*File, error) {
	f := &File{Memory: NewMemory(l), name: name}
	data, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	whole := data[:bytes.LastIndexByte(data, '\n')+1]
	for line := range bytes.Lines(whole) {
		f.lines++
		var c change
		if err := json.Unmarshal(line, &c); err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", name, f.lines, err)
		}
		f.apply(&c)
	}
	return f, f.rewrite()
}

// apply makes a change that was made before. Limits may be smaller by now.
func (f *File) apply(c *change) {
	if c.Put != nil {
		f.put(c.User, *c.Put)
	} else {
		f.remove(c.User, c.Delete)
	}
}

// Put implements [Store]. Errors: as of [Memory.Put]; the file's.
func (f *File) Put(_ context.Context, user string, s Subscription) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.put(user, s); err != nil {
		return err
	}
	return f.append(&change{User: user, Put: &s})
}

// Delete implements [Store].
func (f *File) Delete(_ context.Context, user, endpoint string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.remove(user, endpoint) {
		return nil
	}
	return f.append(&change{User: user, Delete: endpoint})
}

// append adds a line, with the lock held. What a line has others forget is not said:
// it follows from the lines when they are read again.
func (f *File) append(c *change) error {
	line, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if _, err := f.file.Write(append(line, '\n')); err != nil {
		return err
	}
	if f.lines++; f.lines > 2*len(f.owners)+slack {
		return f.rewrite()
	}
	return nil
}

// rewrite puts a file with what is known in the place of the old one.
func (f *File) rewrite() error {
	next, err := os.OpenFile(f.name+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	lines := 0
	w := bufio.NewWriter(next)
	e := json.NewEncoder(w)
	for user, all := range f.users {
		for i := range all {
			err = errors.Join(err, e.Encode(&change{User: user, Put: &all[i]}))
			lines++
		}
	}
	err = errors.Join(err, w.Flush(), next.Sync())
	if err == nil {
		err = os.Rename(next.Name(), f.name)
	}
	if err != nil {
		return errors.Join(err, next.Close())
	}
	if f.file != nil {
		f.file.Close()
	}
	f.file, f.lines = next, lines
	return nil
}

// Close closes the file. Nothing may follow.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.file.Close()
}
