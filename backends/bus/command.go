package bus

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// command is one message of a client.
// Byte slices are parts of the frame.
type command struct {
	op       string
	ref      []byte // a number or a string, as it came; nil: none
	topic    string
	token    string
	data     []byte // nil: none
	id, key  string
	receipts string // a topic
	since    *Position
	history  int    // -1: not asked for
	presence []byte // nil: none
}

// maxInteger is the largest number on the wire: all of them are exact in
// JavaScript.
const maxInteger = 1<<53 - 1

// parseCommand reads a message of a client. With an error, the command has
// what was understood; its ref, if there is a good one.
func parseCommand(p []byte) (c command, err error) {
	c.history = -1
	if !utf8.Valid(p) {
		return c, badRequest("not UTF-8")
	}
	if !json.Valid(p) {
		return c, badRequest("not JSON")
	}
	if p = bytes.TrimLeft(p, blanks); p[0] != '{' {
		return c, badRequest("not an object")
	}
	for name, value := range members(p) {
		if e := c.set(name, value); e != nil && err == nil {
			err = e // go on: the ref may follow
		}
	}
	return c, err
}

// set takes one member. Unknown ones are ignored.
func (c *command) set(name string, value []byte) (err error) {
	switch name {
	case "op":
		c.op, err = stringOf(name, value, 0)
	case "ref":
		c.ref, err = refOf(value)
	case "topic":
		c.topic, err = stringOf(name, value, 0)
	case "token":
		c.token, err = stringOf(name, value, 0)
	case "data":
		c.data = oneLine(value)
	case "id":
		c.id, err = stringOf(name, value, MaxLabel)
	case "key":
		c.key, err = stringOf(name, value, MaxLabel)
	case "receipts":
		c.receipts, err = stringOf(name, value, 0)
	case "since":
		c.since, err = positionOf(value)
	case "history":
		var n uint64
		n, err = integerOf(name, value)
		c.history = int(min(n, 1<<31-1))
	case "presence":
		c.presence = oneLine(value)
	}
	return err
}

func refOf(value []byte) ([]byte, error) {
	if value[0] != '"' && value[0] != '-' && (value[0] < '0' || value[0] > '9') {
		return nil, badRequest("ref is neither a number nor a string")
	}
	if len(value) > MaxLabel {
		return nil, badRequest(fmt.Sprintf("ref is longer than %d bytes", MaxLabel))
	}
	return value, nil
}

func positionOf(value []byte) (*Position, error) {
	if value[0] != '{' {
		return nil, badRequest("since is not an object")
	}
	p := new(Position)
	var epoch, offset bool
	for name, value := range members(value) {
		var err error
		switch name {
		case "epoch":
			p.Epoch, err = stringOf("epoch", value, MaxLabel)
			epoch = true
		case "offset":
			p.Offset, err = integerOf("offset", value)
			offset = true
		}
		if err != nil {
			return nil, err
		}
	}
	if !epoch || !offset {
		return nil, badRequest("since needs epoch and offset")
	}
	return p, nil
}

// stringOf returns the string; limit, unless zero, bounds its bytes.
func stringOf(name string, value []byte, limit int) (s string, err error) {
	if value[0] != '"' {
		return "", badRequest(name + " is not a string")
	}
	if bytes.IndexByte(value, '\\') < 0 {
		s = string(value[1 : len(value)-1])
	} else if err := json.Unmarshal(value, &s); err != nil {
		return "", badRequest(name + " is not a string")
	}
	if limit > 0 && len(s) > limit {
		return "", badRequest(fmt.Sprintf("%s is longer than %d bytes", name, limit))
	}
	return s, nil
}

func integerOf(name string, value []byte) (uint64, error) {
	n, err := strconv.ParseUint(string(value), 10, 64)
	if err != nil || n > maxInteger {
		return 0, badRequest(name + " is not an integer from 0 to 2^53-1")
	}
	return n, nil
}

// oneLine returns the value without line breaks: carriers may be line-based.
func oneLine(value []byte) []byte {
	if bytes.IndexByte(value, '\n') < 0 && bytes.IndexByte(value, '\r') < 0 {
		return value
	}
	var b bytes.Buffer
	json.Compact(&b, value) // it is valid
	return b.Bytes()
}
