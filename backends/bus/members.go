package bus

import (
	"bytes"
	"iter"
)

const blanks = " \t\r\n"

// members returns the names and values of a JSON object, which must be valid.
// Unlike encoding/json it takes names as they are, in their case, and copies
// no value; a repeated name comes again.
func members(object []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		p := bytes.TrimLeft(object[1:], blanks)
		for p[0] != '}' {
			n := valueLen(p)
			name, _ := stringOf("", p[:n], 0)
			p = bytes.TrimLeft(p[n:], blanks)
			p = bytes.TrimLeft(p[1:], blanks) // the colon
			n = valueLen(p)
			if !yield(name, p[:n:n]) {
				return
			}
			if p = bytes.TrimLeft(p[n:], blanks); p[0] == ',' {
				p = bytes.TrimLeft(p[1:], blanks)
			}
		}
	}
}

// valueLen returns the length of the value that valid JSON begins with.
func valueLen(p []byte) int {
	switch p[0] {
	case '"':
		return stringLen(p)
	case '{', '[':
		depth := 0
		for i := 0; ; i++ {
			switch p[i] {
			case '"':
				i += stringLen(p[i:]) - 1
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
		}
	}
	if n := bytes.IndexAny(p, ",]}"+blanks); n >= 0 {
		return n
	}
	return len(p)
}

func stringLen(p []byte) int {
	for i := 1; ; i++ {
		switch p[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
}
