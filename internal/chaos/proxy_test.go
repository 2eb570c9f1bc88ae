package chaos_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/internal/chaos"
)

const question, reply = "what is there?", "nothing but an answer of some length"

// start starts a server that replies, and a proxy to it. The server counts the
// questions that it got whole.
func start(t *testing.T, opts *chaos.Options) (p *chaos.Proxy, asked *atomic.Int32) {
	t.Helper()
	asked = new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch body, err := io.ReadAll(r.Body); {
		case r.URL.Path == "/stream":
			for range 100 {
				fmt.Fprintln(w, reply)
				w.(http.Flusher).Flush()
			}
		case err == nil && string(body) == question:
			asked.Add(1)
			io.WriteString(w, reply)
		}
	}))
	t.Cleanup(server.Close)
	p, err := chaos.Listen(strings.TrimPrefix(server.URL, "http://"), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p, asked
}

func ask(p *chaos.Proxy) (string, error) {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Post("http://"+p.Addr(), "text/plain", strings.NewReader(question))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// What each fault does to a request, and to its answer.
func TestFaultsOfExchanges(t *testing.T) {
	for _, tt := range []struct {
		fault    chaos.Fault
		asked    []int32 // how often the server gets the question
		answered string  // yes, no, or perhaps
	}{
		{chaos.None, []int32{1}, "yes"},
		{chaos.DropRequest, []int32{0}, "no"},
		{chaos.DropResponse, []int32{1}, "no"},
		{chaos.Duplicate, []int32{2}, "yes"},
		{chaos.Replay, []int32{2}, "yes"},
		{chaos.Reorder, []int32{1}, "yes"},
		{chaos.CutRequest, []int32{0}, "no"},
		{chaos.CutWaiting, []int32{0, 1}, "perhaps"},
		{chaos.CutResponse, []int32{1}, "no"},
		{chaos.HalfClose, []int32{0, 1}, "perhaps"},
		{chaos.Delay, []int32{1}, "yes"},
		{chaos.Split, []int32{1}, "yes"},
		{chaos.Stall, []int32{1}, "yes"},
	} {
		t.Run(tt.fault.String(), func(t *testing.T) {
			p, asked := start(t, &chaos.Options{
				Exchanges:   chaos.Rates{tt.fault: 1},
				MaxDelay:    5 * time.Millisecond,
				ReplayAfter: 5 * time.Millisecond,
			})
			got, err := ask(p)
			if answered := err == nil && got == reply; tt.answered == "yes" && !answered || tt.answered == "no" && answered {
				t.Errorf("answer %q, error %v", got, err)
			}
			await(t, func() bool {
				for _, n := range tt.asked {
					if asked.Load() == n {
						return true
					}
				}
				return false
			})
			c := p.Counts()
			if want := uint64(1); tt.fault != chaos.None && c.Faults[tt.fault] != want || c.Exchanges != 1 {
				t.Errorf("counted %v", &c)
			}
			if c.Damaged() != 0 != tt.fault.Damages() || c.Hindered() != 0 != (tt.fault != chaos.None && !tt.fault.Damages()) {
				t.Errorf("%d damaged, %d hindered", c.Damaged(), c.Hindered())
			}
		})
	}
}

// await returns when something has come true.
func await(t *testing.T, true func() bool) {
	t.Helper()
	late, again := time.After(10*time.Second), time.Tick(time.Millisecond)
	for !true() {
		select {
		case <-again:
		case <-late:
			t.Fatal("it does not come true")
		}
	}
}

func TestStreamsPassWholeUnlessTheyAreCut(t *testing.T) {
	for _, tt := range []struct {
		fault chaos.Fault
		whole bool
	}{{chaos.None, true}, {chaos.Split, true}, {chaos.Delay, true}, {chaos.CutResponse, false}, {chaos.HalfClose, false}} {
		p, _ := start(t, &chaos.Options{Pieces: chaos.Rates{tt.fault: 1}, MaxDelay: time.Millisecond})
		resp, err := http.Get("http://" + p.Addr() + "/stream")
		if err != nil {
			if tt.whole {
				t.Errorf("%v: %v", tt.fault, err)
			}
			continue
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if whole := err == nil && string(body) == strings.Repeat(reply+"\n", 100); whole != tt.whole {
			t.Errorf("%v: %d bytes, %v", tt.fault, len(body), err)
		}
	}
}

func TestCutBreaksWhatIsOpenAndWhatIsNew(t *testing.T) {
	p, _ := start(t, nil)
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: here\r\nContent-Length: %d\r\n\r\n%s", len(question), question)
	if _, err := bufio.NewReader(c).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	p.Cut(50 * time.Millisecond)
	if _, err := io.Copy(io.Discard, c); err == nil {
		t.Log("closed without a reset") // what it got before was all that there was
	}
	if _, err := ask(p); err == nil {
		t.Error("connected in the dark")
	}
	await(t, func() bool { got, err := ask(p); return err == nil && got == reply })
}

// The same seed makes the same dice.
func TestSameSeedSameFaults(t *testing.T) {
	run := func(seed uint64) (met string) {
		p, _ := start(t, &chaos.Options{Seed: seed, Exchanges: chaos.Bad.Scaled(4), MaxDelay: time.Millisecond, ReplayAfter: time.Millisecond})
		for range 40 { // each on a connection of its own, one after the other
			before := p.Counts()
			ask(p)
			after := p.Counts()
			for _, f := range chaos.All() {
				if after.Faults[f] > before.Faults[f] {
					met += f.String() + ", "
				}
			}
		}
		return met
	}
	first, again, other := run(7), run(7), run(8)
	if first != again || first == other || first == "" {
		t.Errorf("seed 7: %s\nagain:  %s\nseed 8: %s", first, again, other)
	}
}
