//go:build linux

package main

import (
	"bytes"
	"strconv"
	"time"
)

// A message is ~, its number in its topic, when it was to be published, and
// what fills it up to its size, which ends in ~ too. No protocol on the way has
// to escape any of that.
const (
	messageSize = 100
	messageMark = '~'
)

// began is what the times in messages count from.
var began = time.Now()

func appendMessage(out []byte, number int, at time.Time) []byte {
	start := len(out)
	out = append(out, messageMark)
	out = appendHex(out, uint64(number), 8)
	out = appendHex(out, uint64(at.Sub(began)), 16)
	for len(out)-start < messageSize-1 {
		out = append(out, '.')
	}
	return append(out, messageMark)
}

func appendHex(out []byte, n uint64, digits int) []byte {
	for i := digits - 1; i >= 0; i-- {
		out = append(out, "0123456789abcdef"[n>>(4*i)&0xf])
	}
	return out
}

// eachMessage finds the messages in what a server said, and returns what may
// be the beginning of another one.
func eachMessage(data []byte, found func(number int, at time.Time)) (rest []byte) {
	for {
		i := bytes.IndexByte(data, messageMark)
		if i < 0 {
			return nil
		}
		data = data[i:]
		if len(data) < messageSize {
			return data
		}
		number, err1 := strconv.ParseUint(string(data[1:9]), 16, 32)
		at, err2 := strconv.ParseUint(string(data[9:25]), 16, 63)
		if err1 != nil || err2 != nil || data[messageSize-1] != messageMark {
			fatalf("not a message: %q", data[:messageSize])
		}
		found(int(number), began.Add(time.Duration(at)))
		data = data[messageSize:]
	}
}
