package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/internal/pushclient"
)

// subCommand prints what is published.
type subCommand struct {
	remote  `embed:""`
	Topics  []string `arg:"" help:"Topics."`
	History int      `placeholder:"N" help:"Begin with the last messages, up to so many of each topic."`
}

// Run prints messages until it is told to stop, one JSON object a line.
func (c *subCommand) Run(t *terminal) error {
	f := &following{remote: &c.remote, terminal: t, topics: c.Topics, history: c.History, at: make(map[string]bus.Position)}
	return f.run()
}

// tailCommand prints the end of topics, and what comes.
type tailCommand struct {
	remote `embed:""`
	Topics []string `arg:"" help:"Topics."`
	Lines  int      `short:"n" default:"10" placeholder:"N" help:"Messages of each topic to begin with."`
	Follow bool     `default:"true" negatable:"" help:"Go on with what comes."`
}

// Run prints the last messages, and then those that come.
func (c *tailCommand) Run(t *terminal) error {
	f := &following{remote: &c.remote, terminal: t, topics: c.Topics, history: c.Lines, once: !c.Follow, at: make(map[string]bus.Position)}
	return f.run()
}

// following prints topics, and goes on in a new session when one ends.
type following struct {
	*remote
	*terminal
	topics  []string
	history int
	once    bool                    // not what comes later
	at      map[string]bus.Position // up to here everything is printed
}

// retryAfter is the pause between a session that ended and the next.
const retryAfter = time.Second

func (f *following) run() error {
	for {
		err := f.session()
		var end *pushclient.End
		var refused *pushclient.Error
		switch {
		case err == nil || f.ctx.Err() != nil:
			return ended(f.ctx, err)
		case errors.As(err, &end) && end.Retry:
		case errors.As(err, &refused) && refused.Code == "gone":
		default:
			return err
		}
		fmt.Fprintf(f.stderr, "mochibosh: %v; going on in a new session\n", err)
		select {
		case <-time.After(retryAfter):
		case <-f.ctx.Done():
			return nil
		}
	}
}

// session subscribes, and prints until the session is over.
func (f *following) session() error {
	d, err := f.connect(f.ctx)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(f.ctx), retryAfter)
		defer cancel()
		_ = d.Close(ctx)
	}()
	d.other = f.take
	for _, topic := range f.topics {
		m := map[string]any{"op": "subscribe", "topic": topic}
		if at, ok := f.at[topic]; ok {
			m["since"] = at
		} else if f.history > 0 {
			m["history"] = f.history
		}
		if _, err := d.ask(f.ctx, m); err != nil {
			return fmt.Errorf("%s: %w", topic, err)
		}
	}
	if f.once {
		for _, topic := range f.topics { // what is asked for comes before the answer
			if _, err := d.ask(f.ctx, map[string]any{"op": "unsubscribe", "topic": topic}); err != nil {
				return err
			}
		}
		return nil
	}
	return d.listen(f.ctx, func([]byte, *busMessage) (bool, error) { return false, nil })
}

// take prints what is for people, and remembers where we are.
func (f *following) take(p []byte, m *busMessage) error {
	switch m.Type {
	case "subscribed":
		if _, again := f.at[m.Topic]; again && !m.Recovered {
			fmt.Fprintf(f.stderr, "mochibosh: %s: some messages are lost\n", m.Topic)
		}
		f.at[m.Topic] = bus.Position{Epoch: m.Epoch, Offset: m.Offset}
	case "dropped":
		f.at[m.Topic] = bus.Position{Epoch: m.Epoch, Offset: m.Offset}
		return f.print(p)
	case "message":
		f.at[m.Topic] = bus.Position{Epoch: f.at[m.Topic].Epoch, Offset: m.Offset}
		return f.print(p)
	case "join", "leave":
		return f.print(p)
	case "expiring", "expired":
		fmt.Fprintf(f.stderr, "mochibosh: the token is %s\n", m.Type)
	}
	return nil
}
