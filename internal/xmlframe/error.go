package xmlframe

import (
	"errors"
	"strconv"
	"strings"
)

// Kind says what is wrong with the input, as far as an answer depends on it.
// It is not an error itself; [*Error] is.
type Kind uint8

// The kinds of error. The zero Kind is none of them.
const (
	// Malformed breaks a rule of XML 1.0 that has no kind of its own:
	// not-well-formed in XMPP (RFC 6120 §4.9.3.13).
	Malformed Kind = iota + 1
	// Restricted is XML that XMPP leaves out: a comment, a processing
	// instruction, a document type, an entity beyond the predefined five.
	// restricted-xml (RFC 6120 §4.9.3.18, §11.1; XEP-0124 §6).
	Restricted
	// BadEncoding is anything but UTF-8: wrong bytes, or a declaration that
	// names another encoding. unsupported-encoding (RFC 6120 §4.9.3.22).
	BadEncoding
	// UndeclaredPrefix is a prefix that no element around it declares.
	UndeclaredPrefix
	// BadNamespace is a declaration that Namespaces in XML 1.0 forbids.
	BadNamespace
	// StrayText is character data where only elements may stand: directly in
	// a wrapper (XEP-0124 §6) or between the stanzas of a stream.
	StrayText
	// NotText is an element where only character data may stand.
	NotText
	// Incomplete is input that ends before its outermost element does.
	Incomplete
	// TooBig is more than [Limits.MaxBytes].
	TooBig
	// TooDeep is more than [Limits.MaxDepth].
	TooDeep
	// TooManyAttributes is more than [Limits.MaxAttributes].
	TooManyAttributes
	// TooManyNamespaces is more than [Limits.MaxNamespaces].
	TooManyNamespaces
	// TooManyChildren is more than [Limits.MaxChildren].
	TooManyChildren
)

var kindNames = [...]string{
	Malformed:         "malformed",
	Restricted:        "restricted",
	BadEncoding:       "bad encoding",
	UndeclaredPrefix:  "undeclared prefix",
	BadNamespace:      "bad namespace",
	StrayText:         "stray text",
	NotText:           "not text",
	Incomplete:        "incomplete",
	TooBig:            "too big",
	TooDeep:           "too deep",
	TooManyAttributes: "too many attributes",
	TooManyNamespaces: "too many namespaces",
	TooManyChildren:   "too many children",
}

// String returns the kind in words.
func (k Kind) String() string {
	if int(k) < len(kindNames) && kindNames[k] != "" {
		return kindNames[k]
	}
	return "Kind(" + strconv.Itoa(int(k)) + ")"
}

// Limit reports whether the kind is a limit of ours and not a fault of the
// XML: policy-violation rather than not-well-formed.
func (k Kind) Limit() bool { return k >= TooBig }

// Error is the only error type of this package. It holds no input but for
// short names, so it may be logged.
type Error struct {
	Kind   Kind
	Offset int64  // of the offending byte, from the start of the document or stream
	Text   string // what is wrong there, a short phrase
}

func (e *Error) Error() string {
	return "xmlframe: " + e.Kind.String() + " at byte " + strconv.FormatInt(e.Offset, 10) + ": " + e.Text
}

// KindOf returns the kind of the [*Error] in err's chain, or zero.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return 0
}

// errMore says, inside the package, that the data end before the token does.
// Whether that is an error is for the caller to say: for a document it is,
// for a stream it is not.
var errMore = errors.New("xmlframe: more input needed")

// clip shortens a name from the input for an error text.
func clip(name []byte) string {
	const most = 40
	if len(name) <= most {
		return strings.ToValidUTF8(string(name), "?")
	}
	return strings.ToValidUTF8(string(name[:most]), "") + "…"
}
