package discovery

import (
	"mime"
	"strconv"
	"strings"
)

// wantsJSON reports whether a client prefers JSON to XML. RFC 6415 §3: without
// Accept, or with nothing to tell them apart, it gets XML.
func wantsJSON(accept []string) bool {
	json := quality(accept, "application/json")
	return json > 0 && json > quality(accept, "application/xrd+xml")
}

// quality returns how much a media type is wanted (RFC 9110 §12.5.1): the most
// precise range that matches it counts.
func quality(accept []string, want string) (q float64) {
	kind, _, _ := strings.Cut(want, "/")
	best := 0
	for _, line := range accept {
		for item := range strings.SplitSeq(line, ",") {
			media, params, err := mime.ParseMediaType(item)
			if err != nil {
				continue
			}
			precision := 0
			switch media {
			case want:
				precision = 3
			case kind + "/*":
				precision = 2
			case "*/*":
				precision = 1
			}
			if precision > best {
				best, q = precision, 1
				if v, ok := params["q"]; ok {
					q, _ = strconv.ParseFloat(v, 64)
				}
			}
		}
	}
	return q
}
