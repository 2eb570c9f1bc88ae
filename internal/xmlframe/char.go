package xmlframe

import "unicode/utf8"

// Classes of ASCII bytes. One look-up decides the common case, so that plain
// text and plain names cost a byte each.
const (
	isSpace     = 1 << iota // XML 1.0 §2.3, S
	isNameStart             // XML 1.0 §2.3, NameStartChar without the colon
	isNamePart              // XML 1.0 §2.3, NameChar without the colon
	plainText               // stands for itself in text
	plainValue              // stands for itself in an attribute value
)

var class = func() (t [256]uint8) {
	for c := 0x20; c < utf8.RuneSelf; c++ {
		t[c] = plainText | plainValue
	}
	for c := 'a'; c <= 'z'; c++ {
		t[c] |= isNameStart | isNamePart
		t[c-'a'+'A'] |= isNameStart | isNamePart
	}
	for c := '0'; c <= '9'; c++ {
		t[c] |= isNamePart
	}
	t['_'] |= isNameStart | isNamePart
	t['-'] |= isNamePart
	t['.'] |= isNamePart
	// White space is plain in text, but not in values, where the literal
	// forms become spaces (XML 1.0 §3.3.3).
	for _, c := range "\t\r\n" {
		t[c] = isSpace | plainText
	}
	t[' '] |= isSpace
	for _, c := range "&<]" {
		t[c] &^= plainText
	}
	for _, c := range "&<'\"" {
		t[c] &^= plainValue
	}
	return t
}()

// legalRune reports whether XML can carry r at all (XML 1.0 §2.2, Char).
func legalRune(r rune) bool {
	switch {
	case r < 0x20:
		return r == '\t' || r == '\n' || r == '\r'
	case r < 0xD800:
		return true
	case r < 0xE000:
		return false
	}
	return r <= 0x10FFFF && r != 0xFFFE && r != 0xFFFF
}

// nameStartRune is NameStartChar beyond ASCII (XML 1.0, fifth edition, §2.3).
func nameStartRune(r rune) bool {
	switch {
	case r < 0xC0, r == 0xD7, r == 0xF7, r == 0x37E:
		return false
	case r < 0x300:
		return true
	case r < 0x370:
		return false
	case r < 0x2000:
		return true
	}
	return r == 0x200C || r == 0x200D ||
		0x2070 <= r && r <= 0x218F ||
		0x2C00 <= r && r <= 0x2FEF ||
		0x3001 <= r && r <= 0xD7FF ||
		0xF900 <= r && r <= 0xFDCF ||
		0xFDF0 <= r && r <= 0xFFFD ||
		0x10000 <= r && r <= 0xEFFFF
}

// namePartRune is NameChar beyond ASCII (XML 1.0, fifth edition, §2.3).
func namePartRune(r rune) bool {
	return nameStartRune(r) || r == 0xB7 ||
		0x300 <= r && r <= 0x36F || r == 0x203F || r == 0x2040
}

// char judges the character at d[i] and returns its length. A kind other
// than zero refuses it; Incomplete means that d ends inside it.
func char(d []byte, i int) (n int, kind Kind, text string) {
	r, n := rune(d[i]), 1
	if r >= utf8.RuneSelf {
		if !utf8.FullRune(d[i:]) {
			return 0, Incomplete, "input ends inside a character"
		}
		if r, n = utf8.DecodeRune(d[i:]); r == utf8.RuneError && n == 1 {
			return 0, BadEncoding, "not UTF-8"
		}
	}
	if !legalRune(r) {
		return 0, Malformed, "character not allowed in XML"
	}
	return n, 0, ""
}

// predefined are the entities that need no declaration (XML 1.0 §4.6).
var predefined = [...]struct {
	name string
	char rune
}{{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}}

// maxReference bounds the name or number between '&' and ';'. Without a bound
// a reference that trickles in would be read again from its start each time.
const maxReference = 64

// reference reads the reference at d[i], which is '&', and returns the
// character it stands for and the index behind the ';'. A kind other than
// zero refuses it; Incomplete means that d ends inside it.
func reference(d []byte, i int) (r rune, end int, kind Kind, text string) {
	i++
	if i == len(d) {
		return 0, 0, Incomplete, "input ends inside a reference"
	}
	if d[i] == '#' {
		return charReference(d, i+1)
	}
	// An entity. Its name is read to the end before it is judged: "&foo;" is
	// an entity that XMPP forbids, "a&b" is a bare ampersand.
	start := i
	for ; i < len(d) && i-start < maxReference; i++ {
		c := d[i]
		if c == ';' && i > start {
			for _, p := range predefined {
				if string(d[start:i]) == p.name {
					return p.char, i + 1, 0, ""
				}
			}
			return 0, 0, Restricted, "entity &" + clip(d[start:i]) + "; is not one of the predefined five"
		}
		if c < utf8.RuneSelf && class[c]&isNamePart == 0 && c != ':' ||
			i == start && c < utf8.RuneSelf && class[c]&isNameStart == 0 {
			return 0, 0, Malformed, "'&' starts no reference"
		}
	}
	if i == len(d) && i-start < maxReference {
		return 0, 0, Incomplete, "input ends inside a reference"
	}
	return 0, 0, Malformed, "'&' starts no reference"
}

// charReference reads what follows "&#" (XML 1.0 §4.1).
func charReference(d []byte, i int) (r rune, end int, kind Kind, text string) {
	const maxDigits = 10
	base, digits := rune(10), 0
	if i < len(d) && d[i] == 'x' {
		base = 16
		i++
	}
	for ; i < len(d) && digits <= maxDigits; i++ {
		c, v := d[i], rune(0)
		switch {
		case '0' <= c && c <= '9':
			v = rune(c - '0')
		case base == 16 && 'a' <= c && c <= 'f':
			v = rune(c-'a') + 10
		case base == 16 && 'A' <= c && c <= 'F':
			v = rune(c-'A') + 10
		case c == ';' && digits > 0:
			if !legalRune(r) {
				return 0, 0, Malformed, "reference to a character not allowed in XML"
			}
			return r, i + 1, 0, ""
		default:
			return 0, 0, Malformed, "bad character reference"
		}
		// Beyond the last code point the value no longer matters.
		if r = r*base + v; r > utf8.MaxRune {
			r = utf8.MaxRune + 1
		}
		digits++
	}
	if digits > maxDigits {
		return 0, 0, Malformed, "character reference too long"
	}
	return 0, 0, Incomplete, "input ends inside a reference"
}
