package xmpp

import (
	"slices"
	"strings"

	"github.com/mochibosh/mochibosh/internal/xmlframe"
	"github.com/mochibosh/mochibosh/transport"
)

// A serverError is a stream error of a server (RFC 6120 §4.9).
type serverError struct {
	frame     []byte // the element, standing by itself
	condition string
	host      string // of see-other-host
}

// conditions are those of RFC 6120 §4.9.3.
var conditions = strings.Fields(`
	bad-format bad-namespace-prefix conflict connection-timeout host-gone host-unknown
	improper-addressing internal-server-error invalid-from invalid-namespace invalid-xml
	not-authorized not-well-formed policy-violation remote-connection-failed reset
	resource-constraint restricted-xml see-other-host system-shutdown undefined-condition
	unsupported-encoding unsupported-feature unsupported-stanza-type unsupported-version`)

func newServerError(frame []byte) *serverError {
	e := &serverError{frame: frame, condition: "undefined-condition"} // RFC 6120 §4.9.2
	doc, err := xmlframe.Parse(frame, nil)
	if err != nil {
		return e
	}
	for _, c := range doc.Children {
		if c.Name.Space != spaceErrors || !slices.Contains(conditions, c.Name.Local) {
			continue
		}
		e.condition = c.Name.Local
		if e.condition == "see-other-host" {
			text, _ := c.AppendText(nil)
			e.host = strings.TrimSpace(string(text))
		}
	}
	return e
}

// Error implements error.
func (e *serverError) Error() string { return "the server ended the stream: " + e.condition }

// termination is the end by a server's stream error, a copy of which goes to
// the client (XEP-0206 §6, RFC 7395 §3.5).
func (e *serverError) termination() *transport.Termination {
	return &transport.Termination{
		Condition: transport.BackendError,
		Text:      "the XMPP server ended the stream with an error",
		Payload:   []transport.Frame{{Data: e.frame}},
		Err:       e,
	}
}
