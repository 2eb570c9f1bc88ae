package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Opcodes of RFC 6455 §5.2.
const (
	Text  = 1
	Close = 8
	Ping  = 9
	Pong  = 10
)

// mask is the same in each frame: what it costs to apply does not depend on it.
var mask = [4]byte{0x5a, 0xc3, 0x17, 0x88}

// Upgrade is a request for a WebSocket. The protocol may be empty.
func Upgrade(path, host, protocol string) []byte {
	request := fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", path, host)
	if protocol != "" {
		request = append(request, "Sec-WebSocket-Protocol: "+protocol+"\r\n"...)
	}
	return append(request, "\r\n"...)
}

// AppendFrame appends a frame of a client.
func AppendFrame(out []byte, opcode byte, payload string) []byte {
	out = append(out, 0x80|opcode)
	if len(payload) < 126 {
		out = append(out, 0x80|byte(len(payload)))
	} else {
		out = append(out, 0x80|126)
		out = binary.BigEndian.AppendUint16(out, uint16(len(payload)))
	}
	out = append(out, mask[:]...)
	for i := range len(payload) {
		out = append(out, payload[i]^mask[i&3])
	}
	return out
}

// A Frame is what a server sends.
type Frame struct {
	Opcode  byte
	Final   bool
	Payload []byte
}

// ParseFrame returns the frame that data begins with, and its length: zero if
// it is not whole.
func ParseFrame(data []byte) (f Frame, length int, err error) {
	if len(data) < 2 {
		return f, 0, nil
	}
	header, size := 2, int(data[1])
	switch size {
	case 126:
		header = 4
		if len(data) < header {
			return f, 0, nil
		}
		size = int(binary.BigEndian.Uint16(data[2:]))
	case 127:
		return f, 0, errors.New("a frame of more than 64 KB")
	}
	if len(data) < header+size {
		return f, 0, nil
	}
	return Frame{data[0] & 0xf, data[0]&0x80 != 0, data[header : header+size]}, header + size, nil
}
