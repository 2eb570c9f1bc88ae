package attacks

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// JSON that takes too much to be read, here or by whoever it is passed on to, is
// refused, and what can be understood in two ways is understood in one.
func TestJSONBombs(t *testing.T) {
	s := serve(t)
	deep := strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)
	digits := strings.Repeat("9", 60_000)
	for _, test := range []struct {
		name, object string
		status       int
	}{
		{"depth", `{"messages":` + deep + `}`, 400},
		{"depth that never closes", `{"messages":` + strings.Repeat("[", 200_000), 400},
		{"depth of objects", strings.Repeat(`{"a":`, 40_000), 400},
		{"a huge attach", `{"session":"x","key":"x","attach":` + digits + `}`, 400},
		{"a huge exponent", `{"session":"x","key":"x","attach":1e999999999}`, 400},
		{"a tiny exponent", `{"session":"x","key":"x","ack":1e-999999999}`, 400},
		{"a negative number", `{"session":"x","key":"x","ack":-1}`, 400},
		{"a fraction", `{"session":"x","key":"x","ack":1.5}`, 400},
		{"a wait of ages", `{"wait":99999999}`, 400},
		{"no number", `{"ack":NaN}`, 400},
		{"two objects", `{}{}`, 400},
		{"a null in a name", `{"sess` + "\x00" + `ion":1}`, 400},
		{"half a surrogate", `{"to":"\ud800"}`, 404},
		{"a byte order mark", "\ufeff{}", 400},
	} {
		t.Run(test.name, func(t *testing.T) {
			start := time.Now()
			if a := s.call("POST", "/push", test.object); a.StatusCode != test.status {
				t.Errorf("%s %.200s, want %d", a.Status, a.body, test.status)
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
	t.Run("many messages, each refused for itself", func(t *testing.T) {
		a := s.call("POST", "/push", `{"messages":[`+strings.Repeat("1,", 10_000)+`1]}`)
		if a.StatusCode != 409 && a.StatusCode != 201 {
			t.Errorf("%s %s", a.Status, a.body)
		}
	})
	t.Run("huge numbers in a message are passed on as they are", func(t *testing.T) {
		r := newReader(t, s, "numbers")
		if a := s.call("POST", "/api/publish", `{"topic":"numbers","data":`+digits+`}`); a.StatusCode != 200 {
			t.Fatalf("%s %s", a.Status, a.body)
		}
		r.poll(digits)
	})
	t.Run("of a member that is there twice, the last counts, everywhere", func(t *testing.T) {
		r := newReader(t, s, "last")
		if a := s.call("POST", "/api/publish", `{"topic":"first","topic":"last","data":1,"data":2}`); a.StatusCode != 200 {
			t.Fatalf("%s %s", a.Status, a.body)
		}
		r.poll(`"data":2`)
		a := s.call("POST", "/push", fmt.Sprintf(`{"session":"x","session":%q,"key":"x","key":%q,"attach":1,"attach":9,"ack":9,"ack":2,"wait":0}`, r.o.Session, r.o.Key))
		if a.StatusCode != 200 {
			t.Errorf("%s %s", a.Status, a.body)
		}
	})
	s.wantWell()
}
