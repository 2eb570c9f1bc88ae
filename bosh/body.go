package bosh

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/mochibosh/mochibosh/internal/xmlframe"
	"github.com/mochibosh/mochibosh/transport"
)

// A request is what a client says in one <body/> (XEP-0124 §6).
type request struct {
	sid, to, content, stream       string
	key, newKey, from, lang, route string
	xmppVersion                    string
	hasSID, terminate, restart     bool
	rid, ack, wait, hold, pauseFor number
	ver                            version
	frames                         []transport.Frame
}

const xmlNamespace = "http://www.w3.org/XML/1998/namespace" // of xml:lang

// A refusal says why a body is none. The reason is for logs: it holds nothing
// of what the client wrote.
type refusal struct {
	condition condition
	reason    string
}

func (r *refusal) Error() string { return r.reason }

// parse reads the whole body before anything of it counts: a request with a
// fault in its last byte has no effect. Nothing in the result is a part of
// data, so that a small payload does not keep a large body in memory.
//
// What inherits one of the renamed namespaces is meant to be in the other.
func parse(data []byte, limits *xmlframe.Limits, renames []xmlframe.Rename) (req request, err error) {
	doc, err := xmlframe.Parse(data, limits)
	if err != nil {
		return req, refusalOf(err)
	}
	if !doc.Name.Is(namespace, "body") {
		return req, &refusal{badRequest, "not a body"}
	}
	for _, a := range doc.Attrs {
		switch {
		case a.Name.Space == "" && !req.setAttr(a.Name.Local, a.Value),
			a.Name.Space == xboshNamespace && !req.setXMPPAttr(a.Name.Local, a.Value):
			return req, &refusal{badRequest, "bad attribute"}
		case a.Name.Space == xmlNamespace:
			if a.Name.Local == "lang" && len(a.Value) <= maxAddress {
				req.lang = a.Value
			}
		}
	}
	if req.rid.value == 0 {
		return req, &refusal{badRequest, "no rid"}
	}
	if len(doc.Children) == 0 {
		if !req.terminate && !req.restart {
			req.stream = "" // says nothing there (XEP-0124 §16.4)
		}
		return req, nil
	}
	req.frames = make([]transport.Frame, len(doc.Children))
	for i := range doc.Children {
		if req.frames[i].Data, err = payloadOf(&doc.Children[i], renames); err != nil {
			return req, err
		}
	}
	return req, nil
}

// payloadOf makes a frame of a child: the JSON value that it stands for, or
// the child itself.
func payloadOf(c *xmlframe.Child, renames []xmlframe.Rename) ([]byte, error) {
	if c.Name.Is(jsonNamespace, "json") {
		text, err := c.AppendText(nil)
		if err != nil {
			return nil, refusalOf(err)
		}
		if !json.Valid(text) {
			return nil, &refusal{badRequest, "json payload is no JSON"}
		}
		return bytes.Trim(text, " \t\r\n"), nil // as it would stand in a JSON array
	}
	if c.Standalone(renames...) {
		return slices.Clone(c.Raw), nil
	}
	return c.AppendStandalone(nil, renames...), nil
}

func refusalOf(err error) *refusal {
	kind := xmlframe.KindOf(err)
	if kind.Limit() {
		return &refusal{policyViolation, kind.String()}
	}
	return &refusal{badRequest, "XML: " + kind.String()}
}
