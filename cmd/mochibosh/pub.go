package main

import (
	"bufio"
	"encoding/json"
	"errors"
)

// pubCommand publishes: with a key by the API, else as a client.
type pubCommand struct {
	remote     `embed:""`
	Topic      string `arg:"" help:"Topic."`
	Data       string `arg:"" optional:"" help:"What to publish: JSON, or else a string. Absent: each line of standard input."`
	ID         string `name:"id" placeholder:"ID" help:"Makes repeating harmless. Only with DATA."`
	MessageKey string `name:"message-key" placeholder:"KEY" help:"What the message is about."`
	Receipts   string `placeholder:"TOPIC" help:"Topic in which to publish who has acknowledged the message."`
	Push       string `name:"web-push" placeholder:"JSON" help:"Notification for users who are not there: {\"title\":\"Hello\",\"after\":10}. Only with --key."`
}

// Validate implements a hook of kong.
func (c *pubCommand) Validate() error {
	switch {
	case c.Push != "" && c.Key == "":
		return errors.New("--web-push: needs --key: clients send no notifications")
	case c.Push != "" && !json.Valid([]byte(c.Push)):
		return errors.New("--web-push: is not JSON")
	}
	return c.remote.Validate()
}

// Run publishes, and prints where each message is.
func (c *pubCommand) Run(t *terminal) error {
	publish := c.byAPI
	if c.Key == "" {
		d, err := c.connect(t.ctx)
		if err != nil {
			return err
		}
		defer d.Close(t.ctx)
		publish = func(t *terminal, data json.RawMessage, id string) ([]byte, error) { return c.asClient(t, d, data, id) }
	}
	one := func(text, id string) error {
		answer, err := publish(t, valueOf(text), id)
		if err != nil {
			return err
		}
		return t.print(answer)
	}
	if c.Data != "" {
		return one(c.Data, c.ID)
	}
	lines := bufio.NewScanner(t.stdin)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		if err := one(lines.Text(), ""); err != nil {
			return err
		}
	}
	return lines.Err()
}

// message is what is published, as API and bus both take it.
func (c *pubCommand) message(data json.RawMessage, id string) map[string]any {
	m := map[string]any{"topic": c.Topic, "data": data}
	if id != "" {
		m["id"] = id
	}
	if c.MessageKey != "" {
		m["key"] = c.MessageKey
	}
	if c.Receipts != "" {
		m["receipts"] = c.Receipts
	}
	if c.Push != "" {
		m["push"] = json.RawMessage(c.Push)
	}
	return m
}

func (c *pubCommand) byAPI(t *terminal, data json.RawMessage, id string) ([]byte, error) {
	return c.call(t.ctx, "publish", c.message(data, id))
}

func (c *pubCommand) asClient(t *terminal, d *dialog, data json.RawMessage, id string) ([]byte, error) {
	m := c.message(data, id)
	m["op"] = "publish"
	answer, err := d.ask(t.ctx, m)
	if err != nil {
		return nil, err
	}
	var done struct {
		Topic     string `json:"topic"`
		Offset    uint64 `json:"offset"`
		Duplicate bool   `json:"duplicate,omitempty"`
	}
	if err := json.Unmarshal(answer, &done); err != nil {
		return nil, err
	}
	return json.Marshal(&done)
}

// presenceCommand says who is present.
type presenceCommand struct {
	remote `embed:""`
	Topic  string `arg:"" help:"Topic."`
}

// Run prints who is there: each member is an object on a line.
func (c *presenceCommand) Run(t *terminal) error {
	var answer []byte
	if c.Key != "" {
		var err error
		if answer, err = c.call(t.ctx, "presence", map[string]any{"topic": c.Topic}); err != nil {
			return err
		}
	} else {
		d, err := c.connect(t.ctx)
		if err != nil {
			return err
		}
		defer d.Close(t.ctx)
		if answer, err = d.ask(t.ctx, map[string]any{"op": "presence", "topic": c.Topic}); err != nil {
			return err
		}
	}
	var present struct{ Members []json.RawMessage }
	if err := json.Unmarshal(answer, &present); err != nil {
		return err
	}
	for _, m := range present.Members {
		if err := t.print(m); err != nil {
			return err
		}
	}
	return nil
}
