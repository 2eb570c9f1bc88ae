package web_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/mochibosh/mochibosh/web"
)

func get(h http.Handler, path string, header ...string) *http.Response {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) []byte {
	t.Helper()
	data, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestHandler(t *testing.T) {
	script := []byte(strings.Repeat("alert('a script, as it was written');\n", 50))
	h := web.Handler(fstest.MapFS{
		"a.js":            {Data: script},
		"b.js":            {Data: script},
		"b.js.br":         {Data: []byte("as Brotli")},
		"short.js":        {Data: []byte("1")},
		"icon.png":        {Data: bytes.Repeat([]byte{0}, 500)},
		"sub/index.html":  {Data: script},
		"other/readme.js": {Data: script},
	})
	for _, c := range []struct {
		name, path, accept, coding string
	}{
		{"who says nothing gets it as it is", "/a.js", "", ""},
		{"gzip", "/a.js", "gzip", "gzip"},
		{"names have no case", "/a.js", "deflate, GZIP;q=0.5", "gzip"},
		{"one that is refused", "/a.js", "gzip;q=0", ""},
		{"the same with more zeros", "/a.js", "gzip; q=0.000", ""},
		{"a weight that is none", "/a.js", "gzip;q=much", ""},
		{"Brotli that is not there", "/a.js", "gzip, deflate, br, zstd", "gzip"},
		{"Brotli", "/b.js", "gzip, deflate, br, zstd", "br"},
		{"Brotli is refused", "/b.js", "gzip, br;q=0", "gzip"},
		{"what would get larger", "/short.js", "gzip", ""},
		{"pages", "/sub/", "gzip", "gzip"},
		{"pictures are compressed already", "/icon.png", "gzip", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := get(h, c.path, "Accept-Encoding", c.accept)
			if got := r.Header.Get("Content-Encoding"); r.StatusCode != http.StatusOK || got != c.coding {
				t.Fatalf("%d, %q, want %q", r.StatusCode, got, c.coding)
			}
			data := body(t, r)
			switch c.coding {
			case "br":
				if string(data) != "as Brotli" {
					t.Errorf("got %q", data)
				}
				return
			case "gzip":
				z, err := gzip.NewReader(bytes.NewReader(data))
				if err != nil {
					t.Fatal(err)
				}
				if data, err = io.ReadAll(z); err != nil {
					t.Fatal(err)
				}
			}
			if strings.HasSuffix(c.path, ".js") && c.path != "/short.js" && !bytes.Equal(data, script) {
				t.Errorf("got %d bytes", len(data))
			}
		})
	}
	t.Run("who has it need not load it", func(t *testing.T) {
		for _, accept := range []string{"", "gzip", "br"} {
			tag := get(h, "/b.js", "Accept-Encoding", accept).Header.Get("ETag")
			if r := get(h, "/b.js", "Accept-Encoding", accept, "If-None-Match", tag); tag == "" || r.StatusCode != http.StatusNotModified {
				t.Errorf("%q, %q: %d", accept, tag, r.StatusCode)
			}
		}
		if a, b := get(h, "/b.js").Header.Get("ETag"), get(h, "/b.js", "Accept-Encoding", "br").Header.Get("ETag"); a == b {
			t.Errorf("two codings have one tag %q", a)
		}
	})
	t.Run("caches know that it depends on the coding", func(t *testing.T) {
		for _, accept := range []string{"", "gzip"} {
			if got := get(h, "/a.js", "Accept-Encoding", accept).Header.Get("Vary"); got != "Accept-Encoding" {
				t.Errorf("got %q", got)
			}
		}
	})
	t.Run("what is not there", func(t *testing.T) {
		for _, path := range []string{"/none.js", "/../a.js.", "/sub/none.html"} {
			if r := get(h, path, "Accept-Encoding", "gzip"); r.StatusCode != http.StatusNotFound || r.Header.Get("Content-Encoding") != "" {
				t.Errorf("%s: %d, %q", path, r.StatusCode, r.Header.Get("Content-Encoding"))
			}
		}
	})
	t.Run("folders are what they are without it", func(t *testing.T) {
		if r := get(h, "/other/"); r.StatusCode != http.StatusOK || !strings.Contains(string(body(t, r)), "readme.js") {
			t.Errorf("got %d", r.StatusCode)
		}
		if r := get(h, "/sub"); r.StatusCode != http.StatusMovedPermanently {
			t.Errorf("got %d", r.StatusCode)
		}
	})
}

// A browser that loads the client over https asks for Brotli, and over http for gzip.
func TestTheClientIsSmall(t *testing.T) {
	h := web.Handler(web.Client)
	for name, most := range map[string]int{"mochi.min.js": 8192, "reload.min.js": 1024, "tabs.min.js": 3072, "bosh.min.js": 3072} {
		for coding, accept := range map[string]string{"br": "gzip, deflate, br, zstd", "gzip": "gzip, deflate"} {
			r := get(h, "/"+name, "Accept-Encoding", accept)
			if got := r.Header.Get("Content-Encoding"); got != coding {
				t.Errorf("%s comes as %q", name, got)
			}
			if n := len(body(t, r)); n > most {
				t.Errorf("%s: %d bytes in %s, at most %d", name, n, coding, most)
			}
		}
	}
	err := fs.WalkDir(web.Client, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if r := get(h, "/"+path); r.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
