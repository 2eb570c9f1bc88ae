package api

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mochibosh/mochibosh/backends/bus"
)

const publication = `{"topic":"news","data":{"text":"twelve words of news that somebody would like to know at once"}}`

// bare is a handler that reads its body and answers, and nothing else.
var bare = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	if _, err := io.ReadAll(r.Body); err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Write([]byte(`{"topic":"news","epoch":"0123456789ab","offset":1}`))
})

// What a publish call costs, beside a bare handler: requests come without a
// network.
func BenchmarkPublish(b *testing.B) {
	k, secret := key(b, "shop", "publish on *")
	h := NewHandler(bus.New(nil), &Options{Keys: NewKeys(k)})
	for name, h := range map[string]http.Handler{"bare": bare, "publish": h} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest("POST", "/api/publish", strings.NewReader(publication))
				r.Header.Set("Authorization", "Bearer "+secret)
				w := httptest.NewRecorder()
				if h.ServeHTTP(w, r); w.Code != http.StatusOK {
					b.Fatal(w.Code, w.Body)
				}
			}
		})
	}
}
