package disk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// The file begins with this line. A format that old versions cannot read has a
// higher number; new versions go on to read the old ones.
const heading = "mochibosh state 1\n"

// Then come batches:
//
//	4 bytes   batchMark
//	4 bytes   length of the records, little-endian, as is the next
//	4 bytes   CRC-32C of the records
//	records   each its length as a varint, a kind, and what it says
const (
	batchMark   = "\xfeMb\n"
	batchHeader = len(batchMark) + 8
	// maxBatch bounds what is believed of a length.
	maxBatch = 1 << 30
)

// The kinds of records.
const (
	kindRun      = 'R' // a process begins to write; its durability, and the boot of its machine
	kindComplete = 'C' // all that is needed of the time before this file was written is above
	kindSession  = 'S' // a session: its id, its revision, and its snapshot
	kindDeleted  = 'D' // a session is over: its id
	kindBus      = 'B' // what a bus.Memory says
	kindEnd      = 'E' // the process ended in good order
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal finishes a batch, at whose front there is room for the header.
func seal(b []byte) []byte {
	copy(b, batchMark)
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)-batchHeader))
	binary.LittleEndian.PutUint32(b[8:], crc32.Checksum(b[batchHeader:], castagnoli))
	return b
}

// appendRecord appends a record to a batch. It returns where what it says
// begins.
func appendRecord(b []byte, kind byte, parts ...[]byte) (batch []byte, at int) {
	n := 1
	for _, p := range parts {
		n += len(p)
	}
	b = binary.AppendUvarint(b, uint64(n))
	b = append(b, kind)
	at = len(b)
	for _, p := range parts {
		b = append(b, p...)
	}
	return b, at
}

// errTorn means that there is no whole batch where one should be.
var errTorn = errors.New("no whole batch")

// readBatch reads the batch at an offset, into a buffer that it may replace.
// io.EOF: the file ends there.
func readBatch(f io.ReaderAt, at, size int64, buf []byte) (records, used []byte, next int64, err error) {
	if at == size {
		return nil, buf, at, io.EOF
	}
	var header [batchHeader]byte
	if _, err := f.ReadAt(header[:], at); err != nil && err != io.EOF {
		return nil, buf, at, err
	}
	n := int64(binary.LittleEndian.Uint32(header[4:]))
	next = at + int64(batchHeader) + n
	if string(header[:4]) != batchMark || n > maxBatch || next > size {
		return nil, buf, at, errTorn
	}
	if int64(cap(buf)) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	if _, err := f.ReadAt(buf, at+int64(batchHeader)); err != nil {
		return nil, buf, at, err
	}
	if crc32.Checksum(buf, castagnoli) != binary.LittleEndian.Uint32(header[8:]) {
		return nil, buf, at, errTorn
	}
	return buf, buf, next, nil
}

// eachRecord calls f with the records of a batch: their kind, what they say, and
// where that begins in the batch.
func eachRecord(records []byte, f func(kind byte, body []byte, at int) error) error {
	for rest := records; len(rest) > 0; {
		n, size := binary.Uvarint(rest)
		if size <= 0 || n < 1 || n > uint64(len(rest)-size) {
			return errors.New("a record is longer than its batch")
		}
		record := rest[size : size+int(n)]
		rest = rest[size+int(n):]
		if err := f(record[0], record[1:], len(records)-len(rest)-len(record)+1); err != nil {
			return err
		}
	}
	return nil
}

// wholeBatchAfter reports whether the file has a batch behind an offset.
func wholeBatchAfter(f io.ReaderAt, at, size int64) bool {
	const window = 1 << 20
	buf := make([]byte, window+len(batchMark)-1)
	for ; at < size; at += window {
		n, err := f.ReadAt(buf, at)
		if err != nil && err != io.EOF {
			return true // as far as is known
		}
		for i := 0; ; i++ {
			j := bytes.Index(buf[i:n], []byte(batchMark))
			if j < 0 {
				break
			}
			i += j
			if _, _, _, err := readBatch(f, at+int64(i), size, nil); err == nil {
				return true
			}
		}
	}
	return false
}

// splitID takes a string with its length in front off a record.
func splitID(body []byte) (id string, rest []byte, err error) {
	n, size := binary.Uvarint(body)
	if size <= 0 || n > uint64(len(body)-size) {
		return "", nil, fmt.Errorf("an id is longer than its record")
	}
	return string(body[size : size+int(n)]), body[size+int(n):], nil
}

func appendID(b []byte, id string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(id))), id...)
}
