package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// healthCommand asks a server how it is, for a container that has nothing else
// to ask with.
type healthCommand struct {
	Server  string        `default:"http://127.0.0.1:8888" placeholder:"URL" help:"The server."`
	Ready   bool          `help:"Ask whether it takes new sessions, and not only whether it is there."`
	Timeout time.Duration `default:"2s" help:"How long the answer may take."`
}

// Validate implements a hook of kong.
func (c *healthCommand) Validate() error { return (&remote{Server: c.Server}).Validate() }

// Run prints what the server says of itself. It is an error unless that is 200.
func (c *healthCommand) Run(t *terminal) error {
	ctx, cancel := context.WithTimeout(t.ctx, c.Timeout)
	defer cancel()
	path := "/healthz"
	if c.Ready {
		path = "/readyz"
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, (&remote{Server: c.Server}).address(path), nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(io.LimitReader(resp.Body, 1000))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status + ": " + string(said))
	}
	_, err = t.stdout.Write(said)
	return err
}
