package transport

import (
	"strconv"
	"sync"
	"testing"
)

// Attributes change while others read them, and those of the creation stay as
// they are.
func TestAttributesChange(t *testing.T) {
	created := map[string]string{"to": "bus"}
	s, _ := newSession(t, &recorder{}, Params{Protocol: "test", Attrs: created})
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := range 100 {
				s.SetAttr(strconv.Itoa(i), strconv.Itoa(n))
				if p := s.Params(); p.Attrs["to"] != "bus" || p.Attrs[strconv.Itoa(i)] != strconv.Itoa(n) {
					t.Errorf("%v", p.Attrs)
				}
			}
		})
	}
	all.Wait()
	if len(created) != 1 || len(s.Params().Attrs) != 5 {
		t.Errorf("created with %v, has %v", created, s.Params().Attrs)
	}
	none, _ := newSession(t, &recorder{}, Params{Protocol: "test"})
	if none.SetAttr("a", "b"); none.Params().Attrs["a"] != "b" {
		t.Error("no attribute where there was none")
	}
}
