package bus

import "time"

// entry is one message in the history of a [Memory].
type entry struct {
	Message
	at         time.Time
	record     *record
	prev, next *entry // in the timeline
}

// entryOverhead is what an entry costs besides its payload and its key.
const entryOverhead = 200

// receiptOverhead is what it costs to remember that receipts are wanted.
const receiptOverhead = 32

func (e *entry) size() int {
	n := len(e.payload) + len(e.Key) + entryOverhead
	if e.Receipt != nil {
		n += receiptOverhead + len(e.Receipt.To) + len(e.Receipt.ID)
	}
	return n
}

// timeline is a list of all messages kept, of all topics, by their age: the
// oldest go first when histories together grow too large. The oldest of all
// is always the oldest of its topic.
type timeline struct {
	oldest, newest *entry
	bytes          int
}

func (l *timeline) add(e *entry) {
	l.bytes += e.size()
	if e.prev = l.newest; e.prev != nil {
		e.prev.next = e
	} else {
		l.oldest = e
	}
	l.newest = e
}

func (l *timeline) remove(e *entry) {
	l.bytes -= e.size()
	if e.prev != nil {
		e.prev.next = e.next
	} else {
		l.oldest = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	} else {
		l.newest = e.prev
	}
	e.prev, e.next = nil, nil
}
