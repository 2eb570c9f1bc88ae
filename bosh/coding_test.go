package bosh

import (
	"bytes"
	"compress/flate"
	"errors"
	"strings"
	"testing"
)

func TestChooseCoding(t *testing.T) {
	tests := []struct {
		name   string
		header []string
		want   coding
	}{
		{"B-05.7 absent", nil, identity},
		{"B-05.7 identity", []string{"identity"}, identity},
		{"B-05.7 one that was listed", []string{"deflate"}, deflated},
		{"B-05.7 none of ours", []string{"br, zstd"}, identity},
		{"B-05.7 a browser's", []string{"gzip, deflate, br"}, gzipped},
		{"gzip before deflate, in any order", []string{"deflate,gzip"}, gzipped},
		{"two lines", []string{"br", "gzip"}, gzipped},
		{"H-09 case", []string{"GZip"}, gzipped},
		{"H-09 the old name", []string{"x-gzip"}, xGzipped},
		{"H-10 forbidden", []string{"gzip;q=0"}, identity},
		{"H-10 forbidden with digits", []string{"gzip ; Q = 0.000, deflate;q=0.001"}, deflated},
		{"H-10 the one liked more", []string{"gzip;q=0.5, deflate;q=0.8"}, deflated},
		{"H-10 identity liked more", []string{"gzip;q=0.5, identity"}, identity},
		{"H-10 identity liked less", []string{"gzip, identity;q=0.5"}, gzipped},
		{"H-10 gzip forbidden, others not", []string{"gzip;q=0, *"}, identity},
		{"no weight at all", []string{"gzip;q=x"}, identity},
		{"weight not a number", []string{"gzip;q=NaN"}, identity},
		{"another parameter", []string{"gzip;level=9"}, identity},
		{"nothing", []string{""}, identity},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := chooseCoding(strings.Join(test.header, ",")); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func FuzzChooseCoding(f *testing.F) {
	f.Add("gzip;q=0.5, x-gzip, *;q=0, deflate;q=1e9")
	f.Fuzz(func(t *testing.T, header string) {
		switch c := chooseCoding(header); c {
		case identity, gzipped, xGzipped, deflated:
		default:
			t.Errorf("%q: %q", header, c)
		}
	})
}

// FuzzDecode checks that what is decoded is within its bound, and that what we
// encode comes back.
func FuzzDecode(f *testing.F) {
	f.Add([]byte("<body/>"), false)
	f.Add(gzipped.encode([]byte("<body/>")), false)
	f.Add(deflated.encode(make([]byte, 5000)), true)
	var raw bytes.Buffer
	z, _ := flate.NewWriter(&raw, 9)
	z.Write([]byte("raw"))
	z.Close()
	f.Add(raw.Bytes(), true)
	f.Fuzz(func(t *testing.T, data []byte, deflate bool) {
		const max = 1000
		c := gzipped
		if deflate {
			c = deflated
		}
		plain, err := c.decode(data, max)
		var r *refusal
		if err != nil && (!errors.As(err, &r) || plain != nil) || len(plain) > max {
			t.Errorf("%d bytes, %v", len(plain), err)
		}
		if back, err := c.decode(c.encode(data), len(data)); err != nil || !bytes.Equal(back, data) {
			t.Errorf("%q came back as %q, %v", data, back, err)
		}
	})
}
