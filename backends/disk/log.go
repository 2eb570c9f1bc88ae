package disk

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/mochibosh/mochibosh/transport"
)

// A Log is the file in its directory. All methods may be called from many
// goroutines at once, but for Begin and Finish, which are called once, in this
// order.
type Log struct {
	dir  string
	opts Options
	lock *os.File
	boot string

	// NewEpoch says that the machine failed under a process whose durability was
	// Interval: positions that clients know may name other messages now.
	NewEpoch bool
	// Refused is why the file of an earlier process was put aside, or nil.
	Refused error

	mu       sync.Mutex
	more     sync.Cond // when there is something to write, or it ends
	sessions map[string]*place
	next     *batch // what is appended now; nil: nothing is being written to
	writing  *batch // what is being written; nil: nothing
	ending   bool
	ended    chan struct{} // closed when the writer has returned

	// The writer's.
	file    *os.File
	size    int64
	compact int64 // size from which to write anew
	dirty   chan struct{}
}

// A batch is written at once.
type batch struct {
	b      []byte
	places []placed
	done   chan struct{} // closed when it is as safe as it gets
}

// placed is a session in a batch.
type placed struct {
	id       string
	revision uint64 // zero: it was deleted
	at, size int
}

func newBatch() *batch { return &batch{b: make([]byte, batchHeader), done: make(chan struct{})} }

const fileName = "state"

// Open locks the directory, which it makes if need be, and reads what an earlier
// process has left. A file that is damaged or of an unknown version is renamed,
// and does not count: Refused says so. An error means that the directory cannot
// be used.
func Open(dir string, o *Options) (*Log, error) {
	l := &Log{dir: dir, opts: o.withDefaults(), sessions: make(map[string]*place), ended: make(chan struct{}), boot: bootID()}
	l.more.L = &l.mu
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	var err error
	if l.lock, err = lockDir(dir); err != nil {
		return nil, err
	}
	if l.Refused, err = l.read(); err != nil {
		l.lock.Close()
		return nil, err
	}
	if l.Refused != nil {
		l.opts.Logger.Error("state refused, and nothing of it counts", "error", l.Refused)
	}
	return l, nil
}

func (l *Log) path(suffix string) string { return filepath.Join(l.dir, fileName+suffix) }

// bootID changes when the machine starts anew. Empty: it is not known.
func bootID() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return string(b[:min(len(b), 36)])
}

// read reads the file, if there is one.
func (l *Log) read() (refused, err error) {
	f, err := os.OpenFile(l.path(""), os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r, err := check(f)
	if err == nil {
		l.file, l.size = f, r.size
		err = l.use(f, &r)
	}
	if err == nil {
		return nil, nil
	}
	l.file, l.size = nil, 0
	clear(l.sessions)
	f.Close()
	aside := l.path("") + ".refused-" + time.Now().UTC().Format("20060102T150405.000")
	if e := os.Rename(l.path(""), aside); e != nil {
		return nil, errors.Join(err, e)
	}
	return fmt.Errorf("state file %s, now %s: %w", l.path(""), aside, err), nil
}

// use loads what counts of the file.
func (l *Log) use(f *os.File, r *reading) error {
	failed := r.run.boot != l.boot || l.boot == ""
	switch {
	case r.clean:
	case r.run.durability == None:
		l.opts.Logger.Warn("state is of a process that did not end in good order, and does not count", "file", l.path(""))
		l.file, l.size = nil, 0
		return f.Close()
	case r.run.durability == Interval && failed:
		l.NewEpoch = true
	}
	if err := load(f, r.size, l.sessions, l.opts.Load); err != nil {
		return err
	}
	if l.NewEpoch {
		l.opts.Logger.Warn("the machine failed: sessions have ended", "sessions", len(l.sessions))
		clear(l.sessions)
	}
	l.opts.Logger.Info("state read", "file", l.path(""), "bytes", r.size, "sessions", len(l.sessions), "clean", r.clean, "torn", r.torn)
	return nil
}

// Each calls f with the sessions of earlier processes. The revision is zero
// where the process to come has no Store.
func (l *Log) Each(f func(id string, snapshot []byte, revision uint64)) error {
	l.mu.Lock()
	ids := slices.Collect(maps.Keys(l.sessions))
	l.mu.Unlock()
	for _, id := range ids {
		snapshot, revision, err := l.get(id)
		if err != nil {
			return err
		}
		if l.opts.Durability == None {
			revision = 0
		}
		f(id, snapshot, revision)
	}
	return nil
}

// get reads a session that was written.
func (l *Log) get(id string) (snapshot []byte, revision uint64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.sessions[id]
	if p == nil || p.at == 0 {
		return nil, 0, transport.ErrNoSession
	}
	snapshot = make([]byte, p.size)
	_, err = l.file.ReadAt(snapshot, p.at)
	return snapshot, p.revision, err
}

// Begin has what happens be written from now on; it is called before anything
// does. Where Durability is None, nothing is written until BeginLast: then it is
// called when everything was taken over, and removes the file, which would soon
// be out of date.
func (l *Log) Begin() error {
	if l.opts.Durability == None {
		l.forget()
		return removeFile(l.path(""))
	}
	if l.file == nil {
		if err := l.create(false); err != nil {
			return err
		}
	} else if err := l.file.Truncate(l.size); err != nil {
		return err
	}
	if l.NewEpoch {
		if err := l.create(false); err != nil { // without the sessions
			return err
		}
	}
	l.start()
	return nil
}

// BeginLast has a Log whose Durability is None take sessions, before Finish.
func (l *Log) BeginLast() error {
	if l.opts.Durability != None {
		return nil
	}
	if err := l.create(false); err != nil {
		return err
	}
	l.start()
	return nil
}

func (l *Log) forget() {
	if l.file != nil {
		l.file.Close()
	}
	l.file, l.size = nil, 0
	clear(l.sessions)
}

func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func (l *Log) start() {
	l.dirty = make(chan struct{}, 1)
	l.next = newBatch()
	l.next.b, _ = appendRecord(l.next.b, kindRun, run{l.opts.Durability, l.boot}.encoded())
	go l.write()
	if l.opts.Durability == Interval {
		go l.syncEvery()
	}
}

// ---- what is appended

// Append keeps what the bus says. It does not wait.
func (l *Log) Append(record []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next != nil {
		l.next.b, _ = appendRecord(l.next.b, kindBus, record)
		l.more.Signal()
	}
}

// Sync waits until all that was appended is as safe as it gets.
func (l *Log) Sync(ctx context.Context) error {
	l.mu.Lock()
	b := l.next
	if b != nil && len(b.b) == batchHeader {
		b = l.writing // nothing was appended since
	}
	l.mu.Unlock()
	if b == nil {
		return nil
	}
	return b.wait(ctx)
}

func (b *batch) wait(ctx context.Context) error {
	select {
	case <-b.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Load implements transport.Store.
func (l *Log) Load(ctx context.Context, id string) (snapshot []byte, revision uint64, err error) {
	l.mu.Lock()
	p := l.sessions[id]
	l.mu.Unlock()
	if p == nil {
		return nil, 0, transport.ErrNoSession
	}
	if err := l.Sync(ctx); err != nil {
		return nil, 0, err
	}
	return l.get(id)
}

// Save implements transport.Store.
func (l *Log) Save(ctx context.Context, id string, snapshot []byte, revision uint64) (uint64, error) {
	l.mu.Lock()
	p := l.sessions[id]
	switch {
	case l.next == nil:
		l.mu.Unlock()
		return 0, errors.New("disk: nothing is written")
	case p == nil && revision != 0, p != nil && revision != p.revision:
		l.mu.Unlock()
		return 0, transport.ErrConflict
	case p == nil:
		p = new(place)
		l.sessions[id] = p
	}
	p.revision++
	revision = p.revision
	b := l.next
	head := binary.AppendUvarint(appendID(nil, id), revision)
	var at int
	b.b, at = appendRecord(b.b, kindSession, head, snapshot)
	b.places = append(b.places, placed{id, revision, at + len(head), len(snapshot)})
	l.more.Signal()
	l.mu.Unlock()
	return revision, b.wait(ctx)
}

// Delete implements transport.Store. It does not wait: should the end be
// forgotten, the session ends again by itself.
func (l *Log) Delete(_ context.Context, id string, revision uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch p := l.sessions[id]; {
	case p == nil || l.next == nil:
		return nil
	case p.revision != revision:
		return transport.ErrConflict
	}
	delete(l.sessions, id)
	l.next.b, _ = appendRecord(l.next.b, kindDeleted, appendID(nil, id))
	l.more.Signal()
	return nil
}
