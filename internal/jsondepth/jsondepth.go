// Package jsondepth tells JSON that nests too deep to be passed on: whoever
// reads it recursively, as many do, would run out of stack.
package jsondepth

import "bytes"

// Default is how deep values may nest where nothing else is said.
const Default = 128

// Exceeds reports whether arrays and objects nest deeper than max; {} has depth
// 1. Of what is not JSON it reports something.
func Exceeds(data []byte, max int) bool {
	if bytes.Count(data, []byte{'['})+bytes.Count(data, []byte{'{'}) <= max {
		return false // nearly always; and to count costs little
	}
	depth, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		case quoted:
		case c == '[' || c == '{':
			if depth++; depth > max {
				return true
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return false
}
