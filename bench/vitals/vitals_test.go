package vitals

import (
	"encoding/json"
	"net/http/httptest"
	"testing"
)

func TestSpan(t *testing.T) {
	before := Vitals{Cycles: 2, GC: 1, Used: 10, Pauses: Pauses{Counts: []uint64{5, 0, 1}, UpTo: []float64{.1, .2, .3}}}
	for _, test := range []struct {
		name   string
		counts []uint64
		want   Span
	}{
		{"nothing", []uint64{5, 0, 1}, Span{Cycles: 1, GCShare: .5}},
		{"one long among many short", []uint64{205, 1, 1}, Span{Cycles: 1, GCShare: .5, Pauses: 201, PauseP99: .1, PauseMax: .2}},
		{"the longest only", []uint64{5, 0, 2}, Span{Cycles: 1, GCShare: .5, Pauses: 1, PauseP99: .3, PauseMax: .3}},
	} {
		t.Run(test.name, func(t *testing.T) {
			after := Vitals{Cycles: 3, GC: 2, Used: 12, Pauses: Pauses{Counts: test.counts, UpTo: before.Pauses.UpTo}}
			if got := after.Since(before); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestServe(t *testing.T) {
	before := Read()
	w := httptest.NewRecorder()
	Serve(w, httptest.NewRequest("GET", "/?gc", nil))
	var v Vitals
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatal(err)
	}
	if s := v.Since(before); s.Cycles < 2 || s.Pauses == 0 || v.Heap == 0 || v.Goroutines == 0 || s.Allocated == 0 {
		t.Errorf("%+v of %+v", s, v)
	}
}
