package websocket

import (
	"encoding/binary"
	"sync"
)

// A frame is a text message that fits in one frame, as RFC 6455 §5.2 has it for
// servers and without compression. Nearly all that is sent is that, and to nearly
// everybody at once; the library's way to the same bytes is a long one.
type frame struct {
	buf   []byte // room for the longest header, and the payload
	begin int    // of the header
}

const (
	finalText  = 0x81 // the first byte of a message in one frame
	compressed = 0x40 // in the first byte: RFC 7692 §6
	masked     = 0x80 // in the second byte, of a client
	shortest   = 125  // the longest payload whose length is in the second byte
	headRoom   = 10
)

// maxPooled is the largest buffer that is kept for the next message.
const maxPooled = 64 << 10

var frames = sync.Pool{New: func() any { return &frame{buf: make([]byte, headRoom, 1024)} }}

// takeFrame returns a frame with the payload that is appended.
func takeFrame(payload func(dst []byte) []byte) *frame {
	f := frames.Get().(*frame)
	f.buf = payload(f.buf[:headRoom])
	f.head(finalText)
	return f
}

// head writes the header, before the payload.
func (f *frame) head(first byte) {
	switch n := len(f.payload()); {
	case n <= shortest:
		f.begin = headRoom - 2
		f.buf[f.begin+1] = byte(n)
	case n < 1<<16:
		f.begin = headRoom - 4
		f.buf[f.begin+1] = 126
		binary.BigEndian.PutUint16(f.buf[f.begin+2:], uint16(n))
	default:
		f.begin = headRoom - 10
		f.buf[f.begin+1] = 127
		binary.BigEndian.PutUint64(f.buf[f.begin+2:], uint64(n))
	}
	f.buf[f.begin] = first
}

func (f *frame) bytes() []byte   { return f.buf[f.begin:] }
func (f *frame) payload() []byte { return f.buf[headRoom:] }

func (f *frame) free() {
	if cap(f.buf) <= maxPooled {
		frames.Put(f)
	}
}

// short returns the message that comes next if it is a short one, in one frame,
// and there already; else nil. Most messages of clients are: what the library
// would do about it costs more than the message.
func (c *conn) short() []byte {
	in := c.idle.in
	if c.idle.within || in.Buffered() < 6 {
		return nil
	}
	head, _ := in.Peek(2)
	n := int(head[1] &^ masked)
	if head[0] != finalText || head[1]&masked == 0 || n > shortest || int64(n) > c.limit || in.Buffered() < 6+n {
		return nil
	}
	frame, _ := in.Peek(6 + n)
	message := unmasked(frame)
	in.Discard(6 + n)
	return message
}

// unmasked returns the payload of a client's frame whose length is in its second
// byte.
func unmasked(frame []byte) []byte {
	mask, payload := frame[2:6], make([]byte, len(frame)-6)
	for i := range payload {
		payload[i] = frame[6+i] ^ mask[i%4]
	}
	return payload
}
