package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Handler serves files as [http.FileServerFS] does, and scripts, pages and styles
// compressed, if the browser takes that: in Brotli (RFC 7932) where name.br is beside the
// file, or else with gzip. Each has an ETag, so that a browser need not load it again that
// has it. The files must not change.
func Handler(files fs.FS) http.Handler {
	return &handler{files: files, plain: http.FileServerFS(files), texts: make(map[string]*text)}
}

type handler struct {
	files fs.FS
	plain http.Handler

	mu    sync.Mutex
	texts map[string]*text // by their names
}

// A text is a file that is worth to be compressed.
type text struct {
	kind    string            // media type
	codings map[string][]byte // by the names of RFC 9110 §8.4.1; "" is the file itself
	tags    map[string]string
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/")
	if strings.HasSuffix(name, "/") || name == "" {
		name += "index.html" // without a redirection that would say so
	}
	t := h.text(name)
	if t == nil {
		h.plain.ServeHTTP(w, r)
		return
	}
	coding := t.choose(strings.Join(r.Header.Values("Accept-Encoding"), ","))
	header := w.Header()
	header.Set("Content-Type", t.kind)
	header.Add("Vary", "Accept-Encoding")
	header.Set("ETag", t.tags[coding])
	if coding != "" {
		header.Set("Content-Encoding", coding)
	}
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(t.codings[coding]))
}

// text returns a file that was compressed, once; nil: it is none that should be.
func (h *handler) text(name string) *text {
	kind := mime.TypeByExtension(path.Ext(name))
	if !strings.HasPrefix(kind, "text/") {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if t := h.texts[name]; t != nil {
		return t
	}
	data, err := fs.ReadFile(h.files, name)
	if err != nil {
		return nil
	}
	t := &text{kind: kind, codings: map[string][]byte{"": data, "gzip": gzipped(data)}, tags: make(map[string]string)}
	if br, err := fs.ReadFile(h.files, name+".br"); err == nil {
		t.codings["br"] = br
	}
	for coding, data := range t.codings {
		sum := sha256.Sum256(data)
		t.tags[coding] = `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
	}
	h.texts[name] = t
	return t
}

func gzipped(data []byte) []byte {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		panic(err) // there is such a level
	}
	z.Write(data) // to memory: cannot fail
	z.Close()
	return b.Bytes()
}

// choose returns the smallest coding that the client takes (RFC 9110 §12.5.3).
func (t *text) choose(accept string) (best string) {
	for item := range strings.SplitSeq(accept, ",") {
		coding, weight, _ := strings.Cut(item, ";")
		coding = strings.ToLower(strings.TrimSpace(coding))
		data, there := t.codings[coding]
		if there && !refused(weight) && len(data) < len(t.codings[best]) {
			best = coding
		}
	}
	return best
}

// refused reports whether a weight is zero.
func refused(weight string) bool {
	q, is := strings.CutPrefix(strings.ReplaceAll(weight, " ", ""), "q=")
	v, err := strconv.ParseFloat(q, 64)
	return is && (err != nil || v == 0)
}
