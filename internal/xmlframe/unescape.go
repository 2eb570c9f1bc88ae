package xmlframe

import (
	"bytes"
	"unicode/utf8"
)

// appendValue appends an attribute value that the scanner has accepted,
// normalised (XML 1.0 §3.3.3, as for CDATA): literal white space becomes
// spaces, CR LF a single one; references stand for what they say.
func appendValue(dst, value []byte) []byte {
	for i := 0; i < len(value); i++ {
		switch c := value[i]; c {
		case '&':
			r, end, _, _ := reference(value, i)
			dst = utf8.AppendRune(dst, r)
			i = end - 1
		case '\r':
			if i+1 < len(value) && value[i+1] == '\n' {
				i++
			}
			dst = append(dst, ' ')
		case '\t', '\n':
			dst = append(dst, ' ')
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// appendContent appends the text of an element that the scanner has accepted
// and whose start tag has tag bytes. An element inside is an error.
func appendContent(dst, raw []byte, tag int) ([]byte, error) {
	if tag == len(raw) {
		return dst, nil // <a/>
	}
	content := raw[tag:bytes.LastIndexByte(raw, '<')]
	out := dst
	for i := 0; i < len(content); {
		switch c := content[i]; c {
		case '&':
			r, end, _, _ := reference(content, i)
			out = utf8.AppendRune(out, r)
			i = end
		case '<':
			if !bytes.HasPrefix(content[i:], []byte(openCDATA)) {
				return dst, &Error{Kind: NotText, Offset: int64(tag + i), Text: "element where only text may stand"}
			}
			i += len(openCDATA)
			n := bytes.Index(content[i:], []byte("]]>"))
			out = appendLines(out, content[i:i+n])
			i += n + len("]]>")
		default:
			n := bytes.IndexAny(content[i:], "&<")
			if n < 0 {
				n = len(content) - i
			}
			out = appendLines(out, content[i:i+n])
			i += n
		}
	}
	return out, nil
}

// appendLines appends text with CR LF and single CR made LF (XML 1.0 §2.11).
func appendLines(dst, text []byte) []byte {
	for {
		n := bytes.IndexByte(text, '\r')
		if n < 0 {
			return append(dst, text...)
		}
		dst = append(append(dst, text[:n]...), '\n')
		text = text[n+1:]
		if len(text) > 0 && text[0] == '\n' {
			text = text[1:]
		}
	}
}
