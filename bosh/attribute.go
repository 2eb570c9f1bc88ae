package bosh

import (
	"strconv"
	"strings"
)

// A number is an integer attribute, which may be absent.
type number struct {
	value uint64
	set   bool
}

func (n number) or(absent uint64) uint64 {
	if n.set {
		return n.value
	}
	return absent
}

// maxInteger is the largest rid (XEP-0124 §14.1): what a double holds exactly.
const maxInteger = 1<<53 - 1

// parseInteger reads a non-negative integer as XML Schema writes it, but
// without a sign: digits, white space around them, and no more of them than
// the largest number has.
func parseInteger(s string) (n uint64, ok bool) {
	s = strings.Trim(s, " \t\r\n")
	if s == "" || len(s) > 16 {
		return 0, false
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	if n > maxInteger {
		return 0, false
	}
	return n, true
}

// A version is that of the protocol. Both parts are integers of their own, so
// 1.10 is above 1.6 (XEP-0124 §7.1).
type version struct{ major, minor uint64 }

// ourVersion is the highest version of XEP-0124 that we speak.
var ourVersion = version{1, 11}

func parseVersion(s string) (v version, ok bool) {
	major, minor, _ := strings.Cut(strings.Trim(s, " \t\r\n"), ".")
	if v.major, ok = parseInteger(major); ok {
		v.minor, ok = parseInteger(minor)
	}
	return v, ok
}

func (v version) String() string {
	return strconv.FormatUint(v.major, 10) + "." + strconv.FormatUint(v.minor, 10)
}

// lower returns the lower of this version and ours; "" if there is none.
func (v version) lower() string {
	switch {
	case v == version{}:
		return ""
	case v.major > ourVersion.major, v.major == ourVersion.major && v.minor > ourVersion.minor:
		return ourVersion.String()
	}
	return v.String()
}

// maxAddress is the longest address (RFC 7622 §3.1), and more than any route.
const maxAddress = 3071

// setAttr takes one attribute of <body/> that has no namespace. Those that we
// do not know are ignored, as are those that mean nothing from a client; those
// that we know must be well formed: it reports whether they are.
func (r *request) setAttr(name, value string) (ok bool) {
	ok = true
	switch name {
	case "sid":
		r.sid, r.hasSID = value, true
	case "rid":
		ok = r.rid.parse(value)
	case "ack":
		ok = r.ack.parse(value)
	case "wait":
		ok = r.wait.parse(value)
	case "hold":
		ok = r.hold.parse(value)
	case "pause":
		ok = r.pauseFor.parse(value)
	case "ver":
		r.ver, ok = parseVersion(value)
	case "to":
		r.to = strings.Clone(value) // the session keeps it, but not the tag around it
		ok = len(value) <= maxAddress
	case "stream":
		r.stream = strings.Clone(value)
	case "key":
		r.key = parseKey(value)
	case "newkey":
		r.newKey = parseKey(value)
	case "from":
		r.from, ok = value, len(value) <= maxAddress
	case "route":
		r.route, ok = value, len(value) <= maxAddress
	case "content":
		r.content = value
	case "type":
		switch value {
		case "terminate", "terminal": // the latter is gloox's
			r.terminate = true
		case "error": // clients have no use for it
		default:
			ok = false
		}
	}
	return ok
}

func (n *number) parse(s string) (ok bool) {
	n.value, ok = parseInteger(s)
	n.set = true
	return ok
}
