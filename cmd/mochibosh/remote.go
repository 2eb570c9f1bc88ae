package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/mochibosh/mochibosh/internal/pushclient"
)

// remote is the server that a command talks to, and as whom.
type remote struct {
	Server string `default:"http://127.0.0.1:8888" placeholder:"URL" help:"The server, from the URL of which all addresses follow."`
	Token  string `placeholder:"TOKEN" help:"Token, to do it as a client."`
	Key    string `placeholder:"KEY" help:"Key, to do it by the API for servers."`
}

// A terminal is what a command talks to on this side.
type terminal struct {
	ctx            context.Context
	in             *invocation
	stdin          io.Reader
	stdout, stderr io.Writer
}

// print writes a line.
func (t *terminal) print(line []byte) error {
	_, err := t.stdout.Write(append(bytes.Clone(line), '\n'))
	return err
}

func (r *remote) address(path string) string { return strings.TrimSuffix(r.Server, "/") + path }

// Validate implements a hook of kong.
func (r *remote) Validate() error {
	if u, err := url.Parse(r.Server); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("--server: %q is no URL such as http://127.0.0.1:8888", r.Server)
	}
	return nil
}

// call calls an operation of the API.
func (r *remote) call(ctx context.Context, operation string, query any) ([]byte, error) {
	body, err := json.Marshal(query)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.address("/api/"+operation), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+r.Key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		return bytes.TrimSpace(answer), nil
	}
	var refused struct{ Error *pushclient.Error }
	if json.Unmarshal(answer, &refused) == nil && refused.Error != nil {
		return nil, refused.Error
	}
	return nil, fmt.Errorf("%s answered with %s", r.Server, resp.Status)
}

// A dialog is a session on the event bus.
type dialog struct {
	*pushclient.Session
	ref   int
	other func(message []byte, m *busMessage) error // takes what nobody asked for
}

// busMessage is one of the bus, as far as we look into it.
type busMessage struct {
	Type, Topic, Epoch string
	Offset             uint64
	Ref                int
	Code, Message      string
	Recovered          bool
}

func (r *remote) connect(ctx context.Context) (*dialog, error) {
	s, err := pushclient.Connect(ctx, pushclient.Options{URL: r.address("/push"), Token: r.Token})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Server, err)
	}
	return &dialog{Session: s}, nil
}

// ask sends a message, and returns the answer to it.
func (d *dialog) ask(ctx context.Context, message map[string]any) (answer []byte, err error) {
	d.ref++
	message["ref"] = d.ref
	body, err := json.Marshal(message)
	if err != nil {
		return nil, err
	}
	if err := d.Send(ctx, body); err != nil {
		return nil, err
	}
	err = d.listen(ctx, func(p []byte, m *busMessage) (bool, error) {
		switch {
		case m.Ref != d.ref:
			return false, nil
		case m.Type == "error":
			return true, &pushclient.Error{Code: m.Code, Message: m.Message}
		}
		answer = p
		return true, nil
	})
	return answer, err
}

// listen gives each message to f, until that is the one that was waited for.
func (d *dialog) listen(ctx context.Context, f func([]byte, *busMessage) (done bool, err error)) error {
	for {
		messages, err := d.Receive(ctx)
		if err != nil {
			return err
		}
		found := false
		for _, p := range messages {
			var m busMessage
			if err := json.Unmarshal(p, &m); err != nil {
				continue // no message of the bus
			}
			done, err := f(p, &m)
			if err == nil && d.other != nil {
				err = d.other(p, &m)
			}
			if err != nil {
				return err
			}
			found = found || done
		}
		if found {
			return nil
		}
	}
}

// valueOf is what somebody types as data: JSON, or else a string.
func valueOf(text string) json.RawMessage {
	if json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	b, err := json.Marshal(text)
	if err != nil {
		return json.RawMessage(strconv.Quote(text))
	}
	return b
}

// ended makes the end of a command by the user no error.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
