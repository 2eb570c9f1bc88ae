package websocket_test

import (
	"context"
	"encoding/binary"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"unicode/utf8"

	"github.com/mochibosh/mochibosh/internal/pushtest"
	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/transport/push"
)

// maxObject bounds the objects of the fuzzer's client.
const maxObject = 300

// FuzzFrames has a client send any bytes after its handshake, on a connection
// that then ends. The backend gets just the messages that another reading of RFC
// 6455 finds in them before the first fault.
func FuzzFrames(f *testing.F) {
	const create, more = `{}`, `{"messages":[1,"two"]}`
	f.Add([]byte(frame(0x81, create) + frame(0x81, more) + frame(0x88, "\x03\xe8")))
	f.Add([]byte(frame(0x81, more) + frame(0x01, `{"mess`) + frame(0x89, "ping") + frame(0x80, `ages":[3]}`) + frame(0x8a, "")))
	f.Add([]byte(frame(0x81, create) + frame(0x82, more)))
	f.Add([]byte(frame(0x81, create) + "\x81\x02{}"))
	f.Add([]byte(frame(0x81, create) + frame(0xc1, more)))
	f.Add([]byte(frame(0x81, create) + frame(0x80, more)))
	f.Add([]byte(frame(0x81, create) + frame(0x01, "{") + frame(0x81, more)))
	f.Add([]byte(frame(0x81, create) + frame(0x09, "") + frame(0x81, more)))
	f.Add([]byte(frame(0x81, create) + "\x81\xfe\x00\x02mask"))
	f.Add([]byte(frame(0x81, create) + "\x81\xff\xff\xff\xff\xff\xff\xff\xff\xffmask"))
	f.Add([]byte(frame(0x81, create) + frame(0x81, `{"messages":["`+strings.Repeat("x", maxObject)+`"]}`)))
	f.Add([]byte(frame(0x81, more) + frame(0x81, "{\"messages\":[\"\xff\"]}")))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 2000 {
			return
		}
		want, known := wanted(data)
		synctest.Test(t, func(t *testing.T) {
			var got []string
			keep := func(p []byte) { got = append(got, string(p)) }
			s := pushtest.Start(t, pushtest.Options{Backend: keeper(keep), Push: push.Options{MaxBody: maxObject}})
			c := s.Dial()
			go io.Copy(io.Discard, c)
			io.WriteString(c, "GET /push/ws HTTP/1.1\r\nHost: push.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
				"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: push.v1\r\n\r\n")
			synctest.Wait() // the answers to what follows go to somebody who reads
			c.Write(data)
			synctest.Wait()
			c.Close()
			synctest.Wait()
			if !slices.Equal(got, want) && (known || len(got) < len(want) || !slices.Equal(got[:len(want)], want)) {
				t.Errorf("%q: the backend got %q, want %q", data, got, want)
			}
		})
	})
}

// keeper is a backend that only takes.
func keeper(keep func([]byte)) transport.Backend {
	return transport.Serve(func(_ context.Context, _ *transport.Stream, in <-chan []byte) error {
		for p := range in {
			keep(p)
		}
		return nil
	})
}

// wanted returns the messages of a client in what it sent. What is not known to
// be all has numbers of its own.
func wanted(data []byte) (messages []string, known bool) {
	for first := true; ; first = false {
		text, ok := nextText(&data)
		if !ok {
			return messages, true
		}
		o, err := push.Parse(text)
		switch {
		case err != nil:
			return messages, true
		case o.Ack > 0: // nothing was sent that could be acknowledged
			return messages, true
		case first && (o.Session != "" || o.First > 1):
			return messages, true
		case !first && o.First > 0:
			return messages, false
		}
		for _, m := range o.Messages {
			messages = append(messages, string(m))
		}
		if !first && o.End {
			return messages, true
		}
	}
}

// nextText takes the next text message; ok is false if there is a fault before
// it, or the end (RFC 6455 §5).
func nextText(data *[]byte) (text []byte, ok bool) {
	for open := false; ; {
		in := *data
		if len(in) < 2 || in[0]&0x70 != 0 || in[1]&0x80 == 0 {
			return nil, false
		}
		final, opcode, control := in[0]&0x80 != 0, in[0]&0xf, in[0]&0x8 != 0
		n, in := uint64(in[1]&0x7f), in[2:]
		if control && (n > 125 || !final) {
			return nil, false
		}
		switch {
		case n == 126 && len(in) >= 2:
			n, in = uint64(binary.BigEndian.Uint16(in)), in[2:]
		case n == 127 && len(in) >= 8:
			n, in = binary.BigEndian.Uint64(in), in[8:]
		case n >= 126:
			return nil, false
		}
		if len(in) < 4 || uint64(len(in)-4) < n {
			return nil, false
		}
		mask, payload := in[:4], slices.Clone(in[4:4+n])
		for i := range payload {
			payload[i] ^= mask[i%4]
		}
		*data = in[4+n:]
		switch {
		case opcode == 9 || opcode == 10:
			continue
		case opcode == 1 && !open, opcode == 0 && open:
		default:
			return nil, false
		}
		text, open = append(text, payload...), true
		switch {
		case len(text) > maxObject, final && !utf8.Valid(text):
			return nil, false
		case final:
			return text, true
		}
	}
}

// frame is one of a client, with a mask that changes nothing but letters.
func frame(first byte, payload string) string {
	const mask = "\x00 \x00 "
	b := []byte{first, 0x80 | byte(len(payload))}
	if len(payload) > 125 {
		b = binary.BigEndian.AppendUint16([]byte{first, 0x80 | 126}, uint16(len(payload)))
	}
	b = append(b, mask...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i%4])
	}
	return string(b)
}
