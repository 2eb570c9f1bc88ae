package api

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mochibosh/mochibosh/backends/bus"
)

// Whatever is posted is published as it was said, or refused with a code; the
// topic moves on by one message, or by none.
func FuzzPublish(f *testing.F) {
	for _, seed := range []string{
		`{"topic":"t","data":{"a":[1]}}`, `{"topic":"t","data":null,"id":"x","key":"k"}`, `{"topic":"","data":1}`, `{"topic":"t"}`,
		`[]`, `{"topic":"t","data":1} 2`, `{"topic":"t","data":1,"topic":"u"}`, "{\"topic\":\"t\u0000\",\"data\":1}", `{"topic":"t","data":1e999}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		h := NewHandler(bus.New(&bus.Options{MaxMessage: 200}), &Options{Open: true})
		for offset := uint64(1); offset <= 2; offset++ {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest("POST", "/api/publish", strings.NewReader(body)))
			var got struct {
				Topic     string
				Offset    uint64
				Duplicate bool
				Results   []any // one for each topic, if several were asked for
				Error     struct{ Code, Message string }
			}
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatalf("%v: %s", err, w.Body)
			}
			switch {
			case w.Code == 200 && len(got.Results) > 0:
			case w.Code == 200 && json.Valid([]byte(body)) && got.Topic != "" && (got.Offset == offset || got.Duplicate && got.Offset == 1):
			case w.Code >= 400 && w.Code < 500 && got.Error.Code != "" && got.Error.Message != "" && got.Offset == 0:
			default:
				t.Fatalf("%q: %d %s", body, w.Code, w.Body)
			}
		}
	})
}
