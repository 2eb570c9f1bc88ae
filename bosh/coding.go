package bosh

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"
	"strconv"
	"strings"
	"sync"
)

// A coding is a content coding (RFC 9110 §8.4.1) as it stands in a header;
// empty: none.
type coding string

const (
	identity coding = ""
	gzipped  coding = "gzip"
	xGzipped coding = "x-gzip" // the same under its old name
	deflated coding = "deflate"
)

// accepted is what we decode, for the creation response (XEP-0124 §7.2).
const accepted = "gzip,deflate"

// codingOf reads Content-Encoding; names have no case. It reports whether we
// know the coding. Two on top of each other are not advertised. libpurple has
// the media type there, which is no coding.
func codingOf(header []string) (c coding, known bool) {
	switch name := strings.ToLower(strings.TrimSpace(strings.Join(header, ","))); name {
	case "", "identity":
		return identity, true
	case "gzip", "x-gzip":
		return gzipped, true
	case "deflate":
		return deflated, true
	default:
		return identity, strings.Contains(name, "/")
	}
}

// chooseCoding returns the coding of an answer to a client that sent
// Accept-Encoding: of those it listed the one that it likes most, under the
// name that it used; identity where it listed none, as * does
// not (XEP-0124 §5).
func chooseCoding(header string) coding {
	best, bestQ := identity, 0
	plain := -1 // not mentioned
	for _, item := range strings.Split(header, ",") {
		name, q := acceptItem(item)
		c := coding(name)
		switch name {
		case "identity":
			plain = q
			continue
		case "gzip", "x-gzip", "deflate":
		default:
			continue
		}
		if q > bestQ || q == bestQ && q > 0 && c == gzipped {
			best, bestQ = c, q
		}
	}
	if plain > bestQ {
		return identity
	}
	return best
}

// acceptItem splits "gzip;q=0.5" into the name and 1000 times q. Something
// that we cannot read counts as 0.
func acceptItem(item string) (name string, q int) {
	name, params, weighted := strings.Cut(item, ";")
	name = strings.ToLower(strings.TrimSpace(name))
	if !weighted {
		return name, 1000
	}
	key, value, _ := strings.Cut(params, "=")
	if !strings.EqualFold(strings.TrimSpace(key), "q") {
		return name, 0
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if err != nil || !(f >= 0 && f <= 1) {
		return name, 0
	}
	return name, int(f * 1000)
}

// ---- decoding

// decode undoes the coding of a request. The result is bounded while it grows:
// a thousand bytes can stand for a million.
func (c coding) decode(data []byte, max int) ([]byte, error) {
	if c == identity {
		return data, nil
	}
	from := bytes.NewReader(data)
	in, err := c.reader(from)
	if err != nil {
		return nil, &refusal{badRequest, "content coding broken"}
	}
	plain, err := io.ReadAll(io.LimitReader(in, int64(max)+1))
	switch {
	case len(plain) > max:
		return nil, &refusal{policyViolation, "body too large when decoded"}
	case err != nil, from.Len() > 0:
		return nil, &refusal{badRequest, "content coding broken"}
	}
	return plain, nil
}

func (c coding) reader(from *bytes.Reader) (io.Reader, error) {
	if c != deflated {
		return gzip.NewReader(from)
	}
	in, err := zlib.NewReader(from)
	if err != zlib.ErrHeader {
		return in, err
	}
	// RFC 9110 §8.4.1.2: "Some non-conformant implementations send the
	// 'deflate' compressed data without the zlib wrapper."
	from.Seek(0, io.SeekStart)
	return flate.NewReader(from), nil
}

// ---- encoding

// A compressor is kept for the next answer: a new one takes a megabyte.
type compressor interface {
	io.WriteCloser
	Reset(io.Writer)
}

var (
	gzips    = sync.Pool{New: func() any { return compressor(gzip.NewWriter(nil)) }}
	deflates = sync.Pool{New: func() any { return compressor(zlib.NewWriter(nil)) }}
)

// encode returns data in the coding.
func (c coding) encode(data []byte) []byte {
	pool := &gzips
	if c == deflated {
		pool = &deflates // with the zlib wrapper: RFC 9110 §8.4.1.2
	}
	var out bytes.Buffer
	out.Grow(len(data)/4 + 64)
	z := pool.Get().(compressor)
	z.Reset(&out)
	z.Write(data) // to memory: cannot fail
	z.Close()
	pool.Put(z)
	return out.Bytes()
}
