package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/mochibosh/mochibosh/internal/xmpptest"
)

// nodeFlags make of Node a browser, as far as the client needs one.
var nodeFlags = []string{"--no-warnings", "--experimental-eventsource", "--experimental-websocket"}

// nodeCarriers are the names of the carriers in the JavaScript client.
var nodeCarriers = map[string]string{"long-poll": "longpoll", "SSE": "sse", "WebSocket": "websocket", "BOSH": "bosh"}

// nodePrograms are the clients that run in Node.
var nodePrograms = map[string]string{"js": "client.mjs", "strophe": "strophe.mjs"}

// runNode runs a JavaScript client, all clients in one process.
func runNode(ctx context.Context, s setup, b *backend, domain, url string) []error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", append(nodeFlags, nodePrograms[s.kind])...)
	cmd.Dir = sourceFolder()
	said := &complaints{stop: cancel}
	cmd.Stderr = said
	in, err := cmd.StdinPipe()
	if err != nil {
		return []error{err}
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return []error{err}
	}
	if err := cmd.Start(); err != nil {
		return []error{err}
	}
	go receive(bufio.NewReader(out), b)

	var carriers []string
	for _, c := range s.carriers {
		carriers = append(carriers, nodeCarriers[c])
	}
	err = json.NewEncoder(in).Encode(map[string]any{
		"url": url, "clients": s.clients, "messages": s.messages, "carriers": carriers, "texts": texts,
		"stay": s.stay.Milliseconds(), "domain": domain, "password": xmpptest.Password, "ahead": ahead,
	})
	for _, p := range b.peers {
		p.upSent.Store(s.messages)
		err = errors.Join(err, complete(ctx, p.down))
		if !s.ring() {
			err = errors.Join(err, complete(ctx, p.up))
		}
		if err != nil {
			break
		}
	}
	in.Close()
	done := make(chan struct{})
	go func() {
		select {
		case <-time.After(10 * time.Second):
			cancel()
		case <-done:
		}
	}()
	err = errors.Join(err, cmd.Wait())
	close(done)
	var errs []error
	for line := range strings.Lines(said.text.String()) { // Wait is over: nobody writes
		errs = append(errs, errors.New(strings.TrimSpace(line)))
	}
	if err != nil {
		errs = append(errs, err)
	}
	return errs
}

// complaints are what a process says on stderr. With the first, all is over.
type complaints struct {
	text bytes.Buffer
	stop func()
}

func (c *complaints) Write(p []byte) (int, error) {
	c.stop()
	return c.text.Write(p)
}

// receive counts what the clients got.
func receive(out *bufio.Reader, b *backend) {
	for {
		line, err := out.ReadBytes('\n')
		if err != nil {
			return
		}
		client, m, _ := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(" "))
		if n, err := strconv.Atoi(string(client)); err == nil && n < len(b.peers) {
			b.peers[n].down.take(m)
		}
	}
}

// silenceMost is how long nothing may come before a run has failed.
const silenceMost = time.Minute

// complete waits until a line is complete, or stuck.
func complete(ctx context.Context, t *tally) error {
	began := time.Now()
	for {
		select {
		case <-t.complete:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
		t.mu.Lock()
		silent := min(time.Since(t.last), time.Since(began))
		t.mu.Unlock()
		if silent > silenceMost {
			return fmt.Errorf("nothing came for %v", silent.Round(time.Second))
		}
	}
}

// sourceFolder is where client.mjs is: this folder of the module, wherever the
// program runs.
func sourceFolder() string {
	_, file, _, _ := runtime.Caller(0)
	if _, err := os.Stat(file); err == nil {
		return filepath.Dir(file)
	}
	return filepath.Join("bench", "chaos") // built with -trimpath
}
