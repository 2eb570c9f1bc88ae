package pipelined

import (
	"bufio"
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
)

// ends returns where requests end, as the scanner sees it when the bytes come
// in pieces as the dice have it; nil: at once.
func (s *scanner) ends(data []byte, dice *rand.Rand) (ends []int) {
	within := false // a request
	for at := 0; at < len(data); {
		most := len(data) - at
		if dice != nil {
			most = 1 + dice.IntN(min(most, 20))
		}
		n := s.scan(data[at : at+most])
		within = within || len(bytes.TrimLeft(data[at:at+n], "\r\n")) > 0
		at += n
		if within && s.state == between {
			ends, within = append(ends, at), false
		}
	}
	return ends
}

// endsByHTTP returns where they end for net/http, and whether it would go on
// after the last.
func endsByHTTP(data []byte) (ends []int, more bool) {
	rest := bytes.NewReader(data)
	in := bufio.NewReader(rest)
	for {
		for b, err := in.Peek(1); err == nil && (b[0] == '\r' || b[0] == '\n'); b, err = in.Peek(1) {
			in.Discard(1)
		}
		if _, err := in.Peek(1); err != nil {
			return ends, true
		}
		r, err := http.ReadRequest(in)
		if err != nil {
			return ends, false
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return ends, false
		}
		ends = append(ends, len(data)-in.Buffered()-rest.Len())
	}
}

const post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"

func TestScan(t *testing.T) {
	long := strings.Repeat("x", 200)
	tests := []struct {
		name, in string
		requests int
		lost     bool
	}{
		{"one", post, 1, false},
		{"three", post + post + post, 3, false},
		{"one that is not complete", post + post[:20], 1, false},
		{"without a body", "GET / HTTP/1.1\r\nHost: a\r\n\r\n" + post, 2, false},
		{"an empty body", strings.Replace(post, "5\r\n\r\nhello", "0\r\n\r\n", 1) + post, 2, false},
		{"bare line feeds", strings.ReplaceAll(post, "\r", "") + post, 2, false},
		{"empty lines between", post + "\r\n" + post, 2, false},
		{"an old client's empty line at the end", post + "\r\n", 1, false},
		{"a length in another case", strings.ToLower(post) + post, 2, false},
		{"long lines", strings.Replace(post, "Host", "X-Long: "+long+"\r\nUser-Agent: "+long+"\r\nHost", 1) + post, 2, false},
		{"a body that looks like a request", strings.Replace(post, "5\r\n\r\nhello", "35\r\n\r\nPOST / HTTP/1.1\r\nContent-Length: 9\r\n", 1) + post, 2, false},
		{"chunks", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + post, 0, true},
		{"two lengths", strings.Replace(post, "Host: a", "Content-Length: 5", 1), 0, true},
		{"a length that is none", strings.Replace(post, ": 5", ": +5", 1), 0, true},
		{"a huge length", strings.Replace(post, ": 5", ": 99999999999999999999", 1), 0, true},
		{"a folded line", strings.Replace(post, ": 5", ":\r\n 5", 1), 0, true},
		{"an upgrade", "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n" + post, 0, true},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0, true},
		{"a tunnel", "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n" + post, 0, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for seed := range uint64(20) {
				var s scanner
				var dice *rand.Rand
				if seed > 0 {
					dice = rand.New(rand.NewPCG(seed, 0))
				}
				if ends := s.ends([]byte(test.in), dice); len(ends) != test.requests || (s.state == lost) != test.lost {
					t.Fatalf("pieces %d: ends at %v, want %d; lost %v, want %v", seed, ends, test.requests, s.state == lost, test.lost)
				}
			}
		})
	}
}

// The scanner and net/http see the same ends, as long as the scanner is sure
// and net/http does not close the connection.
func FuzzScan(f *testing.F) {
	f.Add([]byte(post+post), uint64(0))
	f.Add([]byte("GET /a HTTP/1.1\nHost: a\n\n"+post), uint64(1))
	f.Add([]byte(strings.Replace(post, ": 5", ":\t005 ", 1)+"\r\n\n"+post), uint64(2))
	f.Add([]byte(strings.Replace(post, ": 5", ":\r\n 5", 1)), uint64(3))
	f.Add([]byte("POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"+post), uint64(4))
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		var s scanner
		var dice *rand.Rand
		if seed > 0 {
			dice = rand.New(rand.NewPCG(seed, 0))
		}
		got := s.ends(data, dice)
		want, more := endsByHTTP(data)
		for i, end := range got {
			switch {
			case i < len(want) && end != want[i]:
				t.Fatalf("request %d ends at %d, for net/http at %d", i, end, want[i])
			case i >= len(want) && more:
				t.Fatalf("request %d ends at %d, for net/http it is not there", i, end)
			}
		}
		if len(got) < len(want) && s.state != lost {
			t.Fatalf("ends at %v, for net/http at %v", got, want)
		}
	})
}

// The scan alone, of a request as a browser sends it.
func BenchmarkScan(b *testing.B) {
	request := []byte(strings.Replace(post, "Host", "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n"+
		"Accept: */*\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nContent-Type: text/xml; charset=utf-8\r\n"+
		"Origin: https://chat.example\r\nConnection: keep-alive\r\nReferer: https://chat.example/\r\nHost", 1))
	var s scanner
	b.ReportAllocs()
	for b.Loop() {
		if n := s.scan(request); n != len(request) || s.state != between {
			b.Fatalf("%d, state %d", n, s.state)
		}
	}
}
