package xmlframe

// EscapeText appends text as the content of an element. What is legal stays
// as it is; '&', '<' and '>' and a carriage return, which would be read back
// as a line feed (XML 1.0 §2.11), become references.
//
// What XML cannot carry at all, such as most control characters and what is
// not UTF-8, is an error (Malformed or BadEncoding) and dst is returned as it
// was. It is not replaced: who receives a payload with U+FFFD in it cannot
// know that it was damaged, who gets the error can choose another coding.
func EscapeText(dst, text []byte) ([]byte, error) {
	if err := carriable(text); err != nil {
		return dst, err
	}
	return escape(dst, text, false), nil
}

// EscapeValue appends text as the value of an attribute, for quotes of either
// kind, which it does not append. Beyond what EscapeText does, quotes, tabs
// and line feeds become references, as literal ones would be read back as
// spaces (XML 1.0 §3.3.3).
func EscapeValue(dst, text []byte) ([]byte, error) {
	if err := carriable(text); err != nil {
		return dst, err
	}
	return escape(dst, text, true), nil
}

// carriable returns an error for the first character XML cannot carry.
func carriable(text []byte) error {
	for i := 0; i < len(text); {
		if text[i] >= ' ' && text[i] < 0x80 {
			i++
			continue
		}
		n, kind, why := char(text, i)
		if kind == Incomplete {
			kind = BadEncoding
		}
		if kind != 0 {
			return &Error{Kind: kind, Offset: int64(i), Text: why}
		}
		i += n
	}
	return nil
}

// escape does the escaping of text that is known to be legal.
func escape[T []byte | string](dst []byte, text T, value bool) []byte {
	from := 0
	for i := 0; i < len(text); i++ {
		var with string
		switch text[i] {
		case '&':
			with = "&amp;"
		case '<':
			with = "&lt;"
		case '>':
			with = "&gt;" // not only after "]]", where it must be
		case '\r':
			with = "&#13;"
		case '"':
			with = "&quot;"
		case '\'':
			with = "&apos;"
		case '\t':
			with = "&#9;"
		case '\n':
			with = "&#10;"
		default:
			continue
		}
		if c := text[i]; !value && (c == '"' || c == '\'' || c == '\t' || c == '\n') {
			continue
		}
		dst = append(dst, text[from:i]...)
		dst = append(dst, with...)
		from = i + 1
	}
	return append(dst, text[from:]...)
}
