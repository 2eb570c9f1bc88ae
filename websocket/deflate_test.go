package websocket

import (
	"bytes"
	"compress/flate"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
)

// inflate reads a frame as RFC 7692 §7.2.2 has it.
func inflate(t *testing.T, frame []byte) string {
	t.Helper()
	head, n := 2, int(frame[1])
	if n == 126 {
		head, n = 4, int(frame[2])<<8|int(frame[3])
	}
	if frame[0] != 0xc1 || len(frame)-head != n {
		t.Fatalf("the header is % x, of %d bytes in all", frame[:head], len(frame))
	}
	tail := strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff")
	text, err := io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(frame[head:]), tail)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestDeflating(t *testing.T) {
	noise := make([]byte, 2000)
	rand.Read(noise)
	for _, tt := range []struct {
		name    string
		message []byte
		pays    bool
	}{
		{"a short one goes as it is", bytes.Repeat([]byte("x"), 99), false},
		{"one that is long enough", bytes.Repeat([]byte("x"), 100), true},
		{"a long one", bytes.Repeat([]byte("message "), 1000), true},
		{"a very long one", bytes.Repeat([]byte("message "), 20_000), true},
		{"noise goes as it is", noise, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newDeflater(100).frame(tt.message)
			if (f != nil) != tt.pays {
				t.Fatalf("%d bytes become %d", len(tt.message), len(f))
			}
			if f != nil && inflate(t, f) != string(tt.message) {
				t.Error("it says something else")
			}
		})
	}
	t.Run("for all that get it, once", func(t *testing.T) {
		d := newDeflater(100)
		frames := make([][]byte, 100)
		var all sync.WaitGroup
		for i := range frames {
			all.Go(func() { frames[i] = d.frame([]byte(strings.Repeat("the same ", 100))) })
		}
		all.Wait()
		for _, f := range frames {
			if &f[0] != &frames[0][0] {
				t.Fatal("it was compressed twice")
			}
		}
	})
	t.Run("what was long ago is forgotten", func(t *testing.T) {
		d := newDeflater(100)
		message := func(i int) []byte { return []byte(strings.Repeat(fmt.Sprint(i, " "), 100)) }
		first := d.frame(message(0))
		for i := range 1000 {
			d.frame(message(i))
		}
		if len(d.known) != maxDeflated {
			t.Errorf("%d are remembered", len(d.known))
		}
		if again := d.frame(message(0)); &again[0] == &first[0] || !bytes.Equal(again, first) {
			t.Error("the first is still there, or became something else")
		}
	})
}

// BenchmarkDeflate sends an update to many: what its compression costs the first of
// them, or each if it is not shared, and what the others.
func BenchmarkDeflate(b *testing.B) {
	for _, size := range []int{100, 1000, 10_000} {
		message := update(size)
		b.Run(fmt.Sprintf("%d/first", size), func(b *testing.B) {
			coded := 0
			for b.Loop() {
				coded = len(deflate(message))
			}
			b.ReportMetric(float64(len(message)), "plain")
			b.ReportMetric(float64(coded), "coded")
		})
		b.Run(fmt.Sprintf("%d/others", size), func(b *testing.B) {
			d := newDeflater(1)
			for b.Loop() {
				d.frame(message)
			}
		})
	}
}

// update makes a message of the bus, of about that size, as applications send them.
func update(size int) []byte {
	type order struct {
		ID    int     `json:"id"`
		User  string  `json:"user"`
		Text  string  `json:"text"`
		Price float64 `json:"price"`
	}
	words := strings.Fields("the order was sent to customer and price changed by since yesterday hello please look again thanks room table window")
	users := []string{"ann", "ben", "cat", "dora", "emil", "fay"}
	var all []order
	var data []byte
	for n := 7; len(data) < size-80; n = n * 7919 % 1_000_003 {
		text := ""
		for i := range 3 + n%4 {
			text += words[(n>>i)%len(words)] + " "
		}
		all = append(all, order{n, users[n%len(users)], text, float64(n%100_000) / 100})
		data, _ = json.Marshal(all)
	}
	return fmt.Appendf(nil, `{"messages":[{"type":"message","topic":"orders/today","offset":%d,"data":%s}]}`, 12345, data)
}
