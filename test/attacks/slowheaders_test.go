package attacks

import (
	"io"
	"net"
	"testing"
	"time"
)

// Headers that never end, a byte at a time (slowloris), are cut when their time
// is over, however alive they look. Meanwhile others are served.
func TestSlowHeaders(t *testing.T) {
	s := serve(t, "--header-timeout=500ms")
	for _, head := range []string{"GET /push HTTP/1.1\r\nHost: localhost\r\nX: ", "POST /http-bind HT"} {
		trickle(t, s, 200, head)
	}
}

// trickle opens connections, and on each begins to say something and goes on for
// ever, until the server has closed them all.
func trickle(t *testing.T, s *server, clients int, begin string) (answers []string) {
	t.Helper()
	ended := make(chan string, clients)
	for range clients {
		c := s.dial()
		io.WriteString(c, begin)
		go drip(c)
		go func() {
			data, _ := io.ReadAll(c)
			ended <- string(data)
		}()
	}
	s.wantWell()
	late := time.After(patience)
	for range clients {
		select {
		case a := <-ended:
			answers = append(answers, a)
		case <-late:
			t.Fatalf("%d of %d slow clients are still there", clients-len(answers), clients)
		}
	}
	s.wantWell()
	return answers
}

// drip writes a byte now and then, until that fails.
func drip(c net.Conn) {
	defer c.Close()
	for tick := time.NewTicker(50 * time.Millisecond); ; <-tick.C {
		if _, err := c.Write([]byte("x")); err != nil {
			tick.Stop()
			return
		}
	}
}
