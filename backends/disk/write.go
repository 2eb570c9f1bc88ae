package disk

import (
	"bufio"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"time"
)

// retryAfter is how long the writer waits after a failure: the disk may be full.
// Meanwhile everybody who is to be told something waits.
const retryAfter = time.Second

// write writes batches until the end.
func (l *Log) write() {
	defer close(l.ended)
	for {
		l.mu.Lock()
		for len(l.next.b) == batchHeader && !l.ending {
			l.more.Wait()
		}
		if len(l.next.b) == batchHeader {
			close(l.next.done)
			l.next = nil
			l.mu.Unlock()
			return
		}
		b := l.next
		l.next, l.writing = newBatch(), b
		l.mu.Unlock()

		seal(b.b)
		for err := l.put(b.b); err != nil; err = l.put(b.b) {
			l.opts.Logger.Error("state not written, everybody waits", "file", l.path(""), "error", err)
			time.Sleep(retryAfter)
		}
		l.written(b)
		close(b.done)
		if l.size > l.compact {
			if err := l.create(false); err != nil {
				l.opts.Logger.Error("state not compacted", "file", l.path(""), "error", err)
				l.compact = 2 * l.size
			}
		}
	}
}

// put writes at the end of what is whole. What a failed attempt has left is
// written again: after an error nobody knows what the system still has of it.
func (l *Log) put(b []byte) error {
	if _, err := l.file.WriteAt(b, l.size); err != nil {
		return err
	}
	switch l.opts.Durability {
	case Exchange:
		return l.file.Sync()
	case Interval:
		select {
		case l.dirty <- struct{}{}:
		default:
		}
	}
	return nil
}

// written notes where the sessions of a batch are.
func (l *Log) written(b *batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range b.places {
		if p := l.sessions[w.id]; p != nil {
			p.at, p.size = l.size+int64(w.at), w.size
		}
	}
	l.size += int64(len(b.b))
	l.writing = nil
}

// syncEvery forces what was written to the disk, now and then.
func (l *Log) syncEvery() {
	t := time.NewTicker(l.opts.Interval)
	defer t.Stop()
	for {
		select {
		case <-l.ended:
			return
		case <-t.C:
		}
		select {
		case <-l.dirty:
		default:
			continue
		}
		l.mu.Lock()
		f := l.file
		l.mu.Unlock()
		if err := f.Sync(); err != nil && !errors.Is(err, os.ErrClosed) {
			l.opts.Logger.Error("state not synced", "file", l.path(""), "error", err)
		}
	}
}

// create writes a file anew, with all that counts of the old one and of the bus,
// and puts it in its place: there is always one whole file. Last says that the
// process ends in good order.
func (l *Log) create(last bool) (err error) {
	tmp, err := os.OpenFile(l.path(".new"), os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			tmp.Close()
			os.Remove(l.path(".new"))
		}
	}()
	c := &copier{to: bufio.NewWriterSize(tmp, 256<<10), batch: make([]byte, batchHeader)}
	c.to.WriteString(heading)
	c.size = int64(len(heading))
	c.record(kindRun, run{l.opts.Durability, l.boot}.encoded())
	l.opts.Dump(func(record []byte) { c.record(kindBus, record) }, last)
	moved, err := l.copySessions(c)
	if err != nil {
		return err
	}
	c.record(kindComplete)
	if last {
		c.record(kindEnd)
	}
	if err := c.finish(); err != nil {
		return err
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	if err := os.Rename(l.path(".new"), l.path("")); err != nil {
		return err
	}
	if err := syncDir(l.dir); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, p := range moved {
		if at := l.sessions[id]; at != nil {
			at.at, at.size = p.at, p.size
		}
	}
	if l.file != nil {
		l.file.Close()
	}
	l.file, l.size = tmp, c.size
	l.compact = max(l.opts.CompactFrom, 2*c.size)
	return nil
}

// copySessions copies those that the old file has, and returns where they are
// now.
func (l *Log) copySessions(c *copier) (map[string]place, error) {
	l.mu.Lock()
	moved := make(map[string]place, len(l.sessions))
	for id, p := range l.sessions {
		if p.at != 0 {
			moved[id] = *p
		}
	}
	l.mu.Unlock()
	var buf []byte
	for id, p := range moved {
		if cap(buf) < p.size {
			buf = make([]byte, p.size)
		}
		buf = buf[:p.size]
		if _, err := l.file.ReadAt(buf, p.at); err != nil {
			return nil, err
		}
		head := binary.AppendUvarint(appendID(nil, id), p.revision)
		p.at = c.record(kindSession, head, buf) + int64(len(head))
		moved[id] = p
	}
	return moved, nil
}

// syncDir makes a rename last.
func syncDir(dir string) error {
	d, err := os.Open(filepath.Clean(dir))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Finish writes the file anew for the next process, once all is appended, and
// unlocks the directory.
func (l *Log) Finish() error {
	defer l.lock.Close()
	l.mu.Lock()
	running := l.next != nil
	l.ending = true
	l.more.Broadcast()
	l.mu.Unlock()
	if !running {
		return nil
	}
	<-l.ended
	err := l.create(true)
	l.file.Close()
	return err
}

// A copier writes records, in batches of some size.
type copier struct {
	to    *bufio.Writer
	batch []byte
	size  int64
	err   error
}

const copiedBatch = 1 << 20

// record returns where in the file what the record says begins.
func (c *copier) record(kind byte, parts ...[]byte) int64 {
	var at int
	c.batch, at = appendRecord(c.batch, kind, parts...)
	where := c.size + int64(at)
	if len(c.batch) >= copiedBatch {
		c.flush()
	}
	return where
}

func (c *copier) flush() {
	if len(c.batch) > batchHeader {
		n, err := c.to.Write(seal(c.batch))
		if c.err == nil {
			c.err = err
		}
		c.size += int64(n)
		c.batch = c.batch[:batchHeader]
	}
}

func (c *copier) finish() error {
	c.flush()
	if c.err != nil {
		return c.err
	}
	return c.to.Flush()
}
