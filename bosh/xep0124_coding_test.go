package bosh_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/mochibosh/mochibosh/bosh"
)

// XEP-0124 §5, §7.2: content codings.

// encoded makes a POST whose body is in a coding; "raw" is deflate without the
// zlib wrapper.
func (w *world) encoded(coding, xml string) *http.Request {
	var b bytes.Buffer
	var z io.WriteCloser
	switch coding {
	case "deflate":
		z = zlib.NewWriter(&b)
	case "raw":
		z, _ = flate.NewWriter(&b, flate.BestCompression)
		coding = "deflate"
	default:
		z = gzip.NewWriter(&b)
	}
	io.WriteString(z, xml)
	z.Close()
	r := w.request(w.t.Context(), b.String())
	r.Header.Set("Content-Encoding", coding)
	return r
}

// accepting posts with Accept-Encoding, and decodes the answer.
func (w *world) accepting(codings, xml string) *answer {
	r := w.request(w.t.Context(), xml)
	r.Header.Set("Accept-Encoding", codings)
	a := w.do(r)
	var in io.Reader = strings.NewReader(a.xml)
	var err error
	if a.chunked || a.length != int64(len(a.xml)) {
		w.t.Errorf("length %d of %d, chunked %v", a.length, len(a.xml), a.chunked)
	}
	switch a.header.Get("Content-Encoding") {
	case "gzip", "x-gzip":
		in, err = gzip.NewReader(in)
	case "deflate":
		in, err = zlib.NewReader(in)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	plain, err := io.ReadAll(in)
	if err != nil {
		w.t.Error(err)
	}
	a.xml = string(plain)
	return a
}

func TestCodedAnswers(t *testing.T) {
	big := "<n xmlns='urn:test'>" + strings.Repeat("é1234", 2000) + "</n>"
	whole := "<body xmlns='" + ns + "'>" + big + "</body>"

	t.Run("B-05.7 H-12 H-20 B-14.20 the XML is stored, its coding is chosen by each request", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("wait='0'")
		w.backend.stream().send(big)
		for _, codings := range []string{"gzip", "", "deflate", "identity", "x-gzip", "br", "gzip;q=0"} {
			want := codings
			if !slices.Contains([]string{"gzip", "x-gzip", "deflate"}, codings) {
				want = ""
			}
			a := w.accepting(codings, c.at(1, "", ""))
			w.wantXML(codings, a, whole)
			if got := a.header.Get("Content-Encoding"); got != want {
				t.Errorf("%q: coded as %q", codings, got)
			}
			if want != "" && a.length > int64(len(whole)/10) {
				t.Errorf("%q: %d bytes", codings, a.length)
			}
			if !slices.Contains(a.header["Vary"], "Accept-Encoding") {
				t.Errorf("H-12 %q: vary %q", codings, a.header["Vary"])
			}
		}
	}))

	t.Run("small answers stay as they are", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("wait='0'")
		a := w.accepting("gzip", c.at(1, "", ""))
		w.wantXML("empty", a, empty)
		if got := a.header.Get("Content-Encoding"); got != "" {
			t.Errorf("coded as %q", got)
		}
	}))

	t.Run("it can be switched off", bubble(func(t *testing.T) {
		w := newWorld(t, settings{bosh: bosh.Options{CompressFrom: -1}})
		c := w.create("wait='0'")
		w.backend.stream().send(big)
		a := w.accepting("gzip", c.at(1, "", ""))
		w.wantXML("big", a, whole)
		if a.header.Get("Content-Encoding") != "" || slices.Contains(a.header["Vary"], "Accept-Encoding") {
			t.Errorf("headers %v", a.header)
		}
	}))
}

func TestCodedRequests(t *testing.T) {
	t.Run("B-07.36 B-07.37 H-09 T-37 those advertised are read, a repeat in any other", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("wait='0'")
		if got := c.created.attrs["accept"]; got != "gzip,deflate" {
			t.Errorf("accept %q", got)
		}
		want := ""
		for n, coding := range []string{"gzip", "deflate", "raw", "x-gzip", "GZIP"} {
			xml := c.at(n+1, "", payload(n))
			w.wantXML(coding, w.do(w.encoded(coding, xml)), empty)
			w.wantXML("repeat", c.post(xml), empty)
			want = strings.TrimSpace(want + " " + payload(n))
		}
		w.wantReceived("once each", want)
	}))

	t.Run("B-07.38 H-11 a coding never advertised", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("wait='0'")
		for _, coding := range []string{"br", "gzip, gzip", "x"} {
			r := w.encoded("gzip", c.at(1, "", payload(1)))
			r.Header.Set("Content-Encoding", coding)
			w.wantXML(coding, w.do(r), terminal("bad-request"))
		}
		r := w.request(t.Context(), c.at(1, "", payload(2)))
		r.Header.Set("Content-Encoding", "identity")
		w.wantXML("identity", w.do(r), empty)
		r = w.request(t.Context(), c.at(2, "", ""))
		r.Header.Set("Content-Encoding", "text/xml; charset=utf-8")
		w.wantXML("a media type, as libpurple has it", w.do(r), empty)
		w.wantReceived("nothing else", payload(2))
	}))

	t.Run("B-07.36 B-07.38 it can be switched off", bubble(func(t *testing.T) {
		w := newWorld(t, settings{bosh: bosh.Options{NoAccept: true}})
		c := w.create("wait='0'")
		if got, ok := c.created.attrs["accept"]; ok {
			t.Errorf("accept %q", got)
		}
		w.wantXML("gzip", w.do(w.encoded("gzip", c.at(1, "", ""))), terminal("bad-request"))
	}))

	t.Run("B-07.37 a bomb is stopped, and harms no session", bubble(func(t *testing.T) {
		w := newWorld(t, settings{bosh: bosh.Options{MaxBody: 10000}})
		c := w.create("wait='0'")
		for _, coding := range []string{"gzip", "deflate", "raw"} {
			r := w.encoded(coding, c.at(1, "", strings.Repeat(" ", 5_000_000)))
			w.wantXML(coding, w.do(r), terminal("policy-violation"))
		}
		w.wantXML("within", w.do(w.encoded("gzip", c.at(1, "", strings.Repeat(" ", 9000)))), empty)
	}))

	t.Run("what is broken is a bad request, and harms no session", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("wait='0'")
		for _, coding := range []string{"gzip", "deflate"} {
			whole, _ := io.ReadAll(w.encoded(coding, c.at(1, "", payload(1))).Body)
			for name, data := range map[string]string{
				"nothing": "", "plain": c.at(1, "", ""), "cut": string(whole[:len(whole)-5]), "more": string(whole) + "x",
			} {
				r := w.request(t.Context(), data)
				r.Header.Set("Content-Encoding", coding)
				w.wantXML(coding+" "+name, w.do(r), terminal("bad-request"))
			}
		}
		w.wantXML("another", c.post(c.at(1, "", "")), empty)
		w.wantReceived("none", "")
	}))
}
