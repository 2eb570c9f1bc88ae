package nodes

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
)

// This file is what nodes say to each other of a request: two kinds of messages,
// each a few bytes, a head in JSON, and bytes as they are. A node reads what those
// of the version before and after say: fields that it does not know are left out.

// A forwarded request.
type request struct {
	hops byte // how many nodes passed it on
	head requestHead
	body []byte
}

type requestHead struct {
	Method string      `json:"method"`
	URL    string      `json:"url"`
	Host   string      `json:"host,omitempty"`
	Remote string      `json:"remote,omitempty"`
	Proto  string      `json:"proto,omitempty"`
	TLS    bool        `json:"tls,omitempty"`
	Certs  [][]byte    `json:"certs,omitempty"` // of the client
	Header http.Header `json:"header,omitempty"`
}

const requestVersion = 1

func headOf(r *http.Request) requestHead {
	h := requestHead{
		Method: r.Method,
		URL:    r.URL.RequestURI(),
		Host:   r.Host,
		Remote: r.RemoteAddr,
		Proto:  r.Proto,
		TLS:    r.TLS != nil,
		Header: r.Header,
	}
	if r.TLS != nil {
		for _, c := range r.TLS.PeerCertificates {
			h.Certs = append(h.Certs, c.Raw)
		}
	}
	return h
}

// apply makes a request what the head says. Of the body it says nothing.
func (h *requestHead) apply(r *http.Request) error {
	u, err := url.ParseRequestURI(h.URL)
	if err != nil {
		return errMessage
	}
	major, minor, ok := http.ParseHTTPVersion(h.Proto)
	if !ok {
		return errMessage
	}
	r.Method, r.URL, r.RequestURI, r.Host, r.RemoteAddr = h.Method, u, h.URL, h.Host, h.Remote
	r.Proto, r.ProtoMajor, r.ProtoMinor = h.Proto, major, minor
	if r.Header = h.Header; r.Header == nil {
		r.Header = make(http.Header)
	}
	if h.TLS {
		r.TLS = new(tls.ConnectionState)
		for _, raw := range h.Certs {
			c, err := x509.ParseCertificate(raw)
			if err != nil {
				return errMessage
			}
			r.TLS.PeerCertificates = append(r.TLS.PeerCertificates, c)
		}
	}
	return nil
}

var errMessage = errors.New("nodes: a message of another node cannot be read")

func (r *request) append(dst []byte) ([]byte, error) {
	head, err := json.Marshal(&r.head)
	if err != nil {
		return nil, err
	}
	dst = append(dst, requestVersion, r.hops)
	dst = binary.AppendUvarint(dst, uint64(len(head)))
	return append(append(dst, head...), r.body...), nil
}

func parseRequest(data []byte) (*request, error) {
	if len(data) < 2 || data[0] != requestVersion {
		return nil, errMessage
	}
	r := &request{hops: data[1]}
	head, body, err := cut(data[2:])
	if err != nil || json.Unmarshal(head, &r.head) != nil {
		return nil, errMessage
	}
	r.body = body
	return r, nil
}

// cut takes apart what begins with its length.
func cut(data []byte) (first, rest []byte, err error) {
	size, k := binary.Uvarint(data)
	if k <= 0 || size > uint64(len(data)-k) {
		return nil, nil, errMessage
	}
	return data[k:][:size], data[k:][size:], nil
}

// A piece is a part of an answer.
type piece struct {
	flags byte
	n     uint64     // how many were before
	head  answerHead // with pieceHead
	data  []byte
}

const (
	pieceHead    = 1 << iota // it is the first
	pieceEnd                 // it is the last
	pieceRefused             // there is no answer: the request is to be repeated
)

type answerHead struct {
	Status int         `json:"status"`
	Header http.Header `json:"header,omitempty"`
}

func (p *piece) append(dst []byte) ([]byte, error) {
	dst = binary.AppendUvarint(append(dst, p.flags), p.n)
	if p.flags&pieceHead != 0 {
		head, err := json.Marshal(&p.head)
		if err != nil {
			return nil, err
		}
		dst = binary.AppendUvarint(dst, uint64(len(head)))
		dst = append(dst, head...)
	}
	return append(dst, p.data...), nil
}

func parsePiece(data []byte) (p piece, err error) {
	if len(data) == 0 {
		return p, errMessage
	}
	n, k := binary.Uvarint(data[1:])
	if k <= 0 {
		return p, errMessage
	}
	p.flags, p.n, p.data = data[0], n, data[1+k:]
	if p.flags&pieceHead != 0 {
		var head []byte
		if head, p.data, err = cut(p.data); err != nil {
			return p, err
		}
		if json.Unmarshal(head, &p.head) != nil || p.head.Status < 200 || p.head.Status > 999 {
			return p, errMessage
		}
	}
	return p, nil
}

// News is what the node with the client says of a request that it has forwarded.
type news struct {
	what  byte
	taken uint64 // with newsTaken: how many bytes the client has taken in all
	about string // the subject of its answer
}

const (
	newsGone   = 'g' // the client is
	newsBehind = 'b' // another request waits behind it
	newsTaken  = 't'
)

func (m *news) append(dst []byte) []byte {
	dst = binary.AppendUvarint(append(dst, m.what), m.taken)
	return append(dst, m.about...)
}

func parseNews(data []byte) (m news, err error) {
	if len(data) == 0 {
		return m, errMessage
	}
	n, k := binary.Uvarint(data[1:])
	if k <= 0 {
		return m, errMessage
	}
	return news{data[0], n, string(data[1+k:])}, nil
}
