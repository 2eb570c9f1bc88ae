package bosh

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mochibosh/mochibosh/internal/park"
	"github.com/mochibosh/mochibosh/transport"
)

const namespace = "http://jabber.org/protocol/httpbind"

// An asker is what an answer goes by of its request, which may be long gone
// when there is something to say.
type asker struct {
	post   bool
	accept string // Accept-Encoding
}

func askerOf(r *http.Request) asker {
	// A copy, for the header that it stands in would be kept with it.
	return asker{r.Method == http.MethodPost, strings.Clone(strings.Join(r.Header["Accept-Encoding"], ","))}
}

// write sends an answer whole: with its length, since some clients cannot
// read chunks (XEP-0124 §5), and with a type, since the guess of net/http for
// a <body> is HTML.
//
// It is in a coding that this request allows: what was agreed on for the
// session, or for an earlier copy of the request, has no say (XEP-0124 §5).
func (h *Handler) write(w http.ResponseWriter, to asker, status int, contentType string, body []byte) {
	header := w.Header()
	if h.opts.CompressFrom >= 0 && to.post {
		switch vary := header["Vary"]; {
		case vary == nil:
			header["Vary"] = varyEncoding
		case len(vary) == 1 && vary[0] == varyBoth[0]:
			header["Vary"] = varyBoth
		default:
			header.Add("Vary", "Accept-Encoding")
		}
		if len(body) >= h.opts.CompressFrom {
			if c := chooseCoding(to.accept); c != identity {
				header.Set("Content-Encoding", string(c))
				body = c.encode(body)
			}
		}
	}
	if contentType == defaultContentType {
		header["Content-Type"] = defaultTypes
	} else {
		header.Set("Content-Type", contentType)
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	if _, bounded := w.(park.Writer); !bounded && h.opts.WriteTimeout > 0 {
		// From now: a deadline from before would cut a request that was held.
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(h.opts.WriteTimeout))
	}
	w.WriteHeader(status)
	w.Write(body) // a failed write is a lost answer: the client repeats its request
}

// A wrapper is a <body/> in the making. Its attributes come before its
// payloads.
type wrapper struct {
	xml            []byte
	open           bool // the start tag is not finished
	xbosh          bool // the prefix xmpp is declared
	streamDeclared bool // the prefix stream is declared
}

var wrappers = sync.Pool{New: func() any { return new(wrapper) }}

func newWrapper(size int) *wrapper {
	b := wrappers.Get().(*wrapper)
	*b = wrapper{xml: slices.Grow(b.xml[:0], 256+size), open: true}
	b.xml = append(b.xml, "<body xmlns='"+namespace+"'"...)
	return b
}

// free gives it back; its bytes are not to be used any more.
func (b *wrapper) free() {
	if cap(b.xml) <= maxPooled {
		wrappers.Put(b)
	}
}

func (b *wrapper) attr(name, value string) {
	b.xml = append(b.xml, ' ')
	b.xml = append(b.xml, name...)
	b.xml = append(b.xml, "='"...)
	b.xml = appendText(b.xml, []byte(value), true)
	b.xml = append(b.xml, '\'')
}

func (b *wrapper) number(name string, value uint64) { b.attr(name, strconv.FormatUint(value, 10)) }

func (b *wrapper) seconds(name string, d time.Duration) { b.number(name, uint64(d/time.Second)) }

// terminate makes it the one that ends the session.
func (b *wrapper) terminate(c condition) {
	b.attr("type", "terminate")
	if c != "" {
		b.attr("condition", string(c))
	}
}

func (b *wrapper) startContent() {
	if b.open {
		b.xml = append(b.xml, '>')
		b.open = false
	}
}

func (b *wrapper) payloads(frames []transport.Frame) {
	for _, f := range frames {
		if f.End != nil {
			continue // it is in the attributes
		}
		b.startContent()
		b.xml = appendPayload(b.xml, f.Data)
	}
}

// uri tells where to go on (XEP-0124 §17.2, see-other-uri).
func (b *wrapper) uri(uri string) {
	b.startContent()
	b.xml = append(b.xml, "<uri>"...)
	b.xml = appendText(b.xml, []byte(uri), false)
	b.xml = append(b.xml, "</uri>"...)
}

func (b *wrapper) bytes() []byte {
	if b.open {
		return append(b.xml, "/>"...)
	}
	return append(b.xml, "</body>"...)
}

func terminal(c condition) []byte {
	b := newWrapper(0)
	b.terminate(c)
	return b.bytes()
}

// respond answers a request of a session. Everything in the answer is in the
// session or in the response that it keeps, so a repeat of the request gets
// the same bytes (XEP-0124 §14.3). Late says that the session was over when the
// request came.
func (h *Handler) respond(w http.ResponseWriter, to asker, s *transport.Session, r transport.Response, late bool) {
	if r.Later > 0 {
		h.putOff(w, to, r.Later)
		return
	}
	p := s.Params()
	b := newWrapper(payloadSize(r.Frames))
	defer b.free()
	frames, o := openedIn(r.Frames)
	status := http.StatusOK
	switch {
	case r.Replaced:
		b.attr("type", "error") // a newer copy has its place
	case r.End != nil:
		c := conditionFor(r.Seq, r.End)
		if c == otherRequest && late {
			c = lateConditionOf(r.End) // it was not processed at the same time
		}
		b.terminate(c)
		status = c.status(p)
		if c == seeOtherURI {
			b.uri(r.End.URI) // in the schema it stands alone
			break
		}
		b.declareStream(frames)
		b.declareStream(r.End.Payload)
		b.payloads(frames)
		b.payloads(r.End.Payload)
	default:
		creation := r.Seq == p.FirstSeq
		if creation {
			h.created(b, s, o)
		}
		end := h.ofStream(b, p, &r, o)
		// Its absence says: all up to this request, and none above it.
		if p.Attrs[attrAck] != "" && (creation || r.Ack != r.Seq) {
			b.number("ack", r.Ack)
		}
		if r.Report != 0 {
			b.number("report", r.Report)
			b.number("time", uint64(min(r.Reported.Milliseconds(), 65535))) // an unsignedShort
		}
		b.declareStream(frames)
		b.payloads(frames)
		if end != nil {
			b.payloads(end.Payload)
		}
	}
	h.write(w, to, status, p.Attrs[attrContent], b.bytes())
}

// ofStream writes what an answer says of the stream that its payloads belong
// to: its name, where there are several (XEP-0124 §16.4), what its server said
// when it opened, and its end.
func (h *Handler) ofStream(b *wrapper, p transport.Params, r *transport.Response, o *opened) (end *transport.Termination) {
	g := gateOf(p)
	named := p.Attrs[attrStreams] != "" && g.streams.areSeveral()
	n, _ := r.Note.(*note)
	var added *transport.Opening
	if n != nil {
		added = n.with().added
	}
	switch {
	case added != nil:
		b.attr("stream", added.Name)
		if o == nil && h.speaksXMPP(added.Target) {
			b.xmppAttr("version", xmppVersion) // XEP-0206 §4
		}
	case len(r.Frames) == 0:
		return nil
	case named:
		b.attr("stream", r.Frames[0].Stream)
	}
	if o != nil {
		b.opened(o)
		if named && o.from != "" {
			b.attr("from", o.from) // XEP-0124 §16.3
		}
	}
	if last := len(r.Frames) - 1; last >= 0 {
		end = r.Frames[last].End
	}
	if end != nil {
		g.streams.close(r.Frames[0].Stream)
		b.terminate(conditionOf(end))
	}
	return end
}
