package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/mochibosh/mochibosh/auth"
	"github.com/mochibosh/mochibosh/backends/bus"
)

// operations are all that there are, by their paths below Path.
var operations = map[string]operation{
	"publish":         with(caller.publish),
	"publish-batch":   with(caller.publishBatch),
	"publish-to-user": with(caller.publishToUser),
	"broadcast":       with(caller.broadcast),
	"history":         with(caller.history),
	"presence":        with(caller.presence),
	"sessions":        with(caller.sessions),
	"end-sessions":    with(caller.endSessions),
}

// with makes an operation of a function that takes the body read.
func with[Q, A any](do func(c caller, ctx context.Context, q *Q) (A, error)) operation {
	return func(c caller, ctx context.Context, body []byte) (any, error) {
		q := new(Q)
		if !utf8.Valid(body) {
			return nil, badRequest("the body is not UTF-8")
		}
		if err := json.Unmarshal(body, q); err != nil {
			return nil, badRequest(explain(err))
		}
		return do(c, ctx, q)
	}
}

func badRequest(text string) error { return &bus.Error{Code: bus.BadRequest, Text: text} }

// explain says what is wrong with the JSON, without the names of our types.
func explain(err error) string {
	var syntax *json.SyntaxError
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Sprintf("not JSON: %v at byte %d", syntax, syntax.Offset)
	case errors.As(err, &wrongType) && wrongType.Field != "":
		return fmt.Sprintf("member %q cannot be a %s", wrongType.Field, wrongType.Value)
	case errors.As(err, &wrongType):
		return "not a JSON object but a " + wrongType.Value
	}
	return "not JSON: " + err.Error()
}

// message is what all that publish have.
type message struct {
	Data json.RawMessage `json:"data"`
	ID   string          `json:"id,omitempty"`
	Key  string          `json:"key,omitempty"`
	// Receipts is the topic for receipts.
	Receipts string `json:"receipts,omitempty"`
	// Push is the notification for those who are not there.
	Push json.RawMessage `json:"push,omitempty"`
}

func (m *message) options() bus.PublishOptions {
	return bus.PublishOptions{ID: m.ID, Key: m.Key, Receipts: m.Receipts}
}

// check refuses what is no message; the bus says the rest.
func (m *message) check() error {
	if m.Data == nil {
		return badRequest("data is missing")
	}
	return nil
}

type publishQuery struct {
	Topic  string   `json:"topic,omitempty"`
	Topics []string `json:"topics,omitempty"`
	message
}

// published says where a message is.
type published struct {
	Topic string `json:"topic"`
	bus.Published
}

// result says what became of one of several.
type result struct {
	Topic string `json:"topic"`
	*bus.Published
	Error *refusal `json:"error,omitempty"`
}

type results struct {
	Results []result `json:"results"`
}

// publish publishes in one topic, and answers for it; or in several, and
// answers for each.
func (c caller) publish(ctx context.Context, q *publishQuery) (any, error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	if q.Topics == nil {
		return c.publishOne(ctx, q.Topic, &q.message)
	}
	if q.Topic != "" {
		return nil, badRequest("topic and topics exclude each other")
	}
	items := make([]item, len(q.Topics))
	for i, topic := range q.Topics {
		items[i] = item{topic, q.message}
	}
	return c.publishBatch(ctx, &batch{items})
}

// mayPublish refuses topics that the key is not for, that for receipts among them.
func (c caller) mayPublish(topic string, m *message) error {
	err := c.may(auth.Publish, topic)
	if err == nil && m.Receipts != "" && c.may(auth.Publish, m.Receipts) != nil {
		err = &bus.Error{Code: bus.Forbidden, Text: "receipts: the key is not for publish there"}
	}
	return err
}

func (c caller) publishOne(ctx context.Context, topic string, m *message) (any, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	if err := c.mayPublish(topic, m); err != nil {
		return nil, err
	}
	if err := c.hurries(1); err != nil {
		return nil, err
	}
	done, err := c.send(ctx, topic, m)
	if err != nil {
		return nil, err
	}
	return &published{topic, done}, nil
}

// send publishes what may be published, with a notification if there is one.
func (c caller) send(ctx context.Context, topic string, m *message) (bus.Published, error) {
	opts := m.options()
	switch p := c.handler.opts.Pusher; {
	case m.Push == nil:
		return c.handler.bus.Publish(ctx, topic, m.Data, &opts)
	case p == nil:
		return bus.Published{}, badRequest("push: there is no Web Push here")
	default:
		return p.PublishJSON(ctx, topic, m.Data, &opts, m.Push)
	}
}

type item struct {
	Topic string `json:"topic"`
	message
}

type batch struct {
	Messages []item `json:"messages"`
}

func (c caller) publishBatch(ctx context.Context, q *batch) (any, error) {
	switch n := len(q.Messages); {
	case n == 0:
		return nil, badRequest("there is nothing to publish")
	case n > c.handler.opts.MaxBatch:
		return nil, &bus.Error{Code: bus.TooBig, Text: fmt.Sprintf("more than %d messages", c.handler.opts.MaxBatch)}
	}
	if err := c.hurries(len(q.Messages)); err != nil {
		return nil, err
	}
	all := results{make([]result, len(q.Messages))}
	for i := range q.Messages {
		m := &q.Messages[i]
		all.Results[i] = result{Topic: m.Topic}
		err := errors.Join(m.check(), c.mayPublish(m.Topic, &m.message))
		if err == nil {
			var done bus.Published
			if done, err = c.send(ctx, m.Topic, &m.message); err == nil {
				all.Results[i].Published = &done
			}
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			e := asError(err)
			all.Results[i].Error = &refusal{e.Code, e.Text}
		}
	}
	return &all, nil
}

type userMessage struct {
	User string `json:"user"`
	message
}

func (c caller) publishToUser(ctx context.Context, q *userMessage) (any, error) {
	if q.User == "" {
		return nil, badRequest("user is missing or empty")
	}
	return c.publishOne(ctx, bus.UserTopic(q.User), &q.message)
}

func (c caller) broadcast(ctx context.Context, q *message) (any, error) {
	return c.publishOne(ctx, auth.Everybody, q)
}

type historyQuery struct {
	Topic string        `json:"topic"`
	Since *bus.Position `json:"since,omitempty"`
	Limit *int          `json:"limit,omitempty"`
}

type historyAnswer struct {
	Topic string `json:"topic"`
	bus.Position
	Recovered bool             `json:"recovered"`
	Messages  []historyMessage `json:"messages"`
	More      bool             `json:"more,omitempty"`
}

type historyMessage struct {
	Offset uint64          `json:"offset"`
	Key    string          `json:"key,omitempty"`
	User   string          `json:"user,omitempty"`
	Data   json.RawMessage `json:"data"`
}

// history answers with the newest messages, or with the first after a
// position.
func (c caller) history(ctx context.Context, q *historyQuery) (*historyAnswer, error) {
	limit := c.handler.opts.MaxMessages
	if q.Limit != nil {
		if *q.Limit < 0 {
			return nil, badRequest("limit is below zero")
		}
		limit = min(limit, *q.Limit)
	}
	if err := c.may(auth.History, q.Topic); err != nil {
		return nil, err
	}
	r, err := c.handler.bus.History(ctx, q.Topic, bus.Query{Since: q.Since, Last: limit})
	if err != nil {
		return nil, err
	}
	a := &historyAnswer{Topic: q.Topic, Position: r.Position, Recovered: r.Recovered, More: len(r.Messages) > limit}
	a.Messages = make([]historyMessage, min(limit, len(r.Messages)))
	for i := range a.Messages {
		m := &r.Messages[i]
		a.Messages[i] = historyMessage{m.Offset, m.Key, m.User, m.Data}
	}
	return a, nil
}

type topicQuery struct {
	Topic string `json:"topic"`
}

type presenceAnswer struct {
	Topic   string   `json:"topic"`
	Members []member `json:"members"`
	Count   int      `json:"count"`
}

type member struct {
	Member string          `json:"member"`
	User   string          `json:"user,omitempty"`
	Info   json.RawMessage `json:"info"`
}

func (c caller) presence(ctx context.Context, q *topicQuery) (*presenceAnswer, error) {
	if err := c.may(auth.Presence, q.Topic); err != nil {
		return nil, err
	}
	members, count, err := c.handler.bus.Presence(ctx, q.Topic)
	if err != nil {
		return nil, err
	}
	a := &presenceAnswer{Topic: q.Topic, Members: make([]member, len(members)), Count: count}
	for i, m := range members {
		a.Members[i] = member{m.ID, m.User, m.Info}
	}
	return a, nil
}

type userQuery struct {
	User string `json:"user"`
}

type sessionsAnswer struct {
	User     string            `json:"user"`
	Sessions []bus.SessionInfo `json:"sessions"`
}

func (c caller) sessions(ctx context.Context, q *userQuery) (*sessionsAnswer, error) {
	if q.User == "" {
		return nil, badRequest("user is missing or empty")
	}
	if err := c.may(Sessions, bus.UserTopic(q.User)); err != nil {
		return nil, err
	}
	all, err := c.handler.bus.Sessions(ctx, q.User)
	if err != nil {
		return nil, err
	}
	return &sessionsAnswer{q.User, all}, nil
}

type endQuery struct {
	User    string `json:"user"`
	Session string `json:"session,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

type endAnswer struct {
	Ended int `json:"ended"`
}

func (c caller) endSessions(ctx context.Context, q *endQuery) (*endAnswer, error) {
	if q.User == "" {
		return nil, badRequest("user is missing or empty")
	}
	if err := c.may(Sessions, bus.UserTopic(q.User)); err != nil {
		return nil, err
	}
	ended, err := c.handler.bus.EndSessions(ctx, q.User, q.Session, q.Reason)
	if err != nil {
		return nil, err // it is safe to repeat
	}
	return &endAnswer{ended}, nil
}
