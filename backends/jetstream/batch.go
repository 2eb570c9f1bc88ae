package jetstream

import (
	"encoding/binary"
	"errors"

	"github.com/mochibosh/mochibosh/backends/bus"
)

// A batch is what a message of the stream of topics has: messages of the topic, with
// offsets one after the other.
type batch struct {
	id    string // of the batch: who does not know whether it was stored finds it
	first uint64 // offset of the first message, or of the next, if there is none
	at    int64  // when it was published, in ms since 1970
	items []item
}

// An item is one message.
type item struct {
	data, id, key, user, receipts, origin string
}

const batchVersion = 1

// maxBatch bounds the messages of one batch: an offset is never above so many times
// the number of its message in the stream, which topics rely on that begin anew.
const maxBatch = 256

func (b *batch) last() uint64 { return b.first - 1 + uint64(len(b.items)) }

func (b *batch) append(dst []byte) []byte {
	dst = append(dst, batchVersion)
	dst = appendText(dst, b.id)
	dst = binary.AppendUvarint(dst, b.first)
	dst = binary.AppendVarint(dst, b.at)
	dst = binary.AppendUvarint(dst, uint64(len(b.items)))
	for i := range b.items {
		for _, s := range b.items[i].texts() {
			dst = appendText(dst, *s)
		}
	}
	return dst
}

func (i *item) texts() [6]*string {
	return [...]*string{&i.data, &i.id, &i.key, &i.user, &i.receipts, &i.origin}
}

func (i *item) size() int {
	return len(i.data) + len(i.id) + len(i.key) + len(i.user) + len(i.receipts) + len(i.origin) + 12
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

var errBatch = errors.New("jetstream: a message of the stream is no batch")

func parseBatch(data []byte) (*batch, error) {
	r := reader{rest: data}
	if r.byte() != batchVersion {
		return nil, errBatch
	}
	b := &batch{id: r.text(), first: r.uint(), at: r.int()}
	n := r.uint()
	if r.bad || n > maxBatch || b.first == 0 {
		return nil, errBatch
	}
	b.items = make([]item, n)
	for i := range b.items {
		for _, s := range b.items[i].texts() {
			*s = r.text()
		}
	}
	if r.bad {
		return nil, errBatch
	}
	return b, nil // what follows is of a later version
}

// A reader reads what append has written.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) byte() byte {
	if len(r.rest) == 0 {
		r.bad = true
		return 0
	}
	c := r.rest[0]
	r.rest = r.rest[1:]
	return c
}

func (r *reader) uint() uint64 {
	n, k := binary.Uvarint(r.rest)
	if k <= 0 {
		r.bad = true
		return 0
	}
	r.rest = r.rest[k:]
	return n
}

func (r *reader) int() int64 {
	n, k := binary.Varint(r.rest)
	if k <= 0 {
		r.bad = true
		return 0
	}
	r.rest = r.rest[k:]
	return n
}

func (r *reader) text() string {
	n := r.uint()
	if r.bad || n > uint64(len(r.rest)) {
		r.bad = true
		return ""
	}
	s := string(r.rest[:n])
	r.rest = r.rest[n:]
	return s
}

// message returns a message of the batch.
func (b *batch) message(i int, epoch string) bus.Message {
	it := &b.items[i]
	m := bus.Message{
		Position: bus.Position{Epoch: epoch, Offset: b.first + uint64(i)},
		Key:      it.key,
		User:     it.user,
		Data:     []byte(it.data),
	}
	if it.receipts != "" {
		m.Receipt = &bus.ReceiptRequest{To: it.receipts, ID: it.id}
	}
	return m
}

func itemOf(p *bus.Publication) item {
	return item{data: string(p.Data), id: p.ID, key: p.Key, user: p.User, receipts: p.Receipts, origin: p.Origin.Key()}
}
