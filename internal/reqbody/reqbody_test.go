package reqbody

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mochibosh/mochibosh/internal/memnet"
)

// A body has to come within a time, and fast enough from its eleventh second.
func TestPace(t *testing.T) {
	limits := Limits{Max: 100_000, Timeout: time.Minute, Rate: 1000}
	for _, test := range []struct {
		name    string
		length  int // declared; negative: in chunks
		pieces  int // a second, of how many bytes
		size    int
		limits  Limits
		err     error
		seconds float64
	}{
		{name: "fast enough", pieces: 30, size: 1000, limits: limits, seconds: 29},
		{name: "fast enough, in chunks", length: -1, pieces: 30, size: 1000, limits: limits, seconds: 30},
		{name: "too slow", pieces: 30, size: 10, limits: limits, err: ErrSlow, seconds: 10.11},
		{name: "too slow, in chunks", length: -1, pieces: 30, size: 10, limits: limits, err: ErrSlow, seconds: 10.11},
		{name: "without a rate", pieces: 30, size: 10, limits: Limits{Max: 1000, Timeout: time.Minute}, seconds: 29},
		{name: "in no time", pieces: 90, size: 1000, limits: limits, err: ErrSlow, seconds: 60},
		{name: "too long", pieces: 2, size: 60_000, limits: limits, err: ErrTooBig, seconds: 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got error
				var took time.Duration
				network := memnet.Listen()
				server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					start := time.Now()
					_, got = Read(w, r, test.limits)
					took = time.Since(start)
					w.Header().Set("Connection", "close")
				})}
				served := make(chan error, 1)
				go func() { served <- server.Serve(network) }()
				c, err := network.Dial(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				go func() {
					how := fmt.Sprintf("Content-Length: %d", test.pieces*test.size)
					if test.length < 0 {
						how = "Transfer-Encoding: chunked"
					}
					fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: h\r\n%s\r\n\r\n", how)
					for i := range test.pieces {
						if i > 0 {
							time.Sleep(time.Second)
						}
						piece := strings.Repeat("x", test.size)
						if test.length < 0 {
							piece = fmt.Sprintf("%x\r\n%s\r\n", len(piece), piece)
						}
						if _, err := fmt.Fprint(c, piece); err != nil {
							return
						}
					}
					if test.length < 0 {
						time.Sleep(time.Second)
						fmt.Fprint(c, "0\r\n\r\n")
					}
				}()
				resp, err := http.ReadResponse(bufio.NewReader(c), nil)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if !errors.Is(got, test.err) || took.Seconds() < test.seconds-1 || took.Seconds() > test.seconds+1 {
					t.Errorf("%v after %v, want %v after %v s", got, took, test.err, test.seconds)
				}
				c.Close()
				server.Close()
				<-served
				time.Sleep(time.Minute)
			})
		})
	}
}
