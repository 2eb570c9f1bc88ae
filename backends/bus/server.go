package bus

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/mochibosh/mochibosh/auth"
	"github.com/mochibosh/mochibosh/transport"
)

// This file has what servers do besides Publish, History and Presence. Package
// api offers all of it over HTTP under the same names.

// An Item is one message of a batch.
type Item struct {
	Topic string
	Data  json.RawMessage
	PublishOptions
}

// A Result says what became of an item.
type Result struct {
	Topic string
	Published
	Err error // as of Publish
}

// PublishBatch publishes one item after the other. That one is refused keeps
// none of the others from being published. The error is the context's: the
// results are those of the items before.
func (b *Bus) PublishBatch(ctx context.Context, items []Item) ([]Result, error) {
	results := make([]Result, 0, len(items))
	for i := range items {
		it := &items[i]
		done, err := b.Publish(ctx, it.Topic, it.Data, &it.PublishOptions)
		if err != nil && ctx.Err() != nil {
			return results, context.Cause(ctx)
		}
		results = append(results, Result{it.Topic, done, err})
	}
	return results, nil
}

// UserTopic returns the topic of the messages for one user, to which only that
// user's sessions subscribe.
func UserTopic(user string) string { return auth.UserTopics + user }

// PublishToUser publishes a message for one user, wherever that user's sessions
// are. It is kept as the rule for UserTopic says, for sessions that come later.
// Errors: as of Publish.
func (b *Bus) PublishToUser(ctx context.Context, user string, data json.RawMessage, opts *PublishOptions) (Published, error) {
	if user == "" {
		return Published{}, badRequest("user is missing or empty")
	}
	return b.Publish(ctx, UserTopic(user), data, opts)
}

// Broadcast publishes a message in auth.Everybody, to which all sessions may
// subscribe. Errors: as of Publish.
func (b *Bus) Broadcast(ctx context.Context, data json.RawMessage, opts *PublishOptions) (Published, error) {
	return b.Publish(ctx, auth.Everybody, data, opts)
}

// A SessionInfo is a session as servers see it.
type SessionInfo struct {
	// Session names it, here and in logs. It is not the id that its client
	// has, which may be a secret.
	Session string `json:"session"`
	// Protocol is that of its carrier.
	Protocol string `json:"protocol"`
}

// Sessions returns the sessions of a user, in this process and, with Options.Survey, in
// the others. Without Options.Guard there are no users. Error: an *Error with Unavailable,
// if not all could be asked; those that are known are returned.
func (b *Bus) Sessions(ctx context.Context, user string) ([]SessionInfo, error) {
	all := b.sessionsHere(user)
	others, err := b.survey(ctx, inquiry{User: user})
	for _, f := range others {
		for _, s := range f.Sessions {
			if !slices.Contains(all, s) { // one that moves just now is at two
				all = append(all, s)
			}
		}
	}
	return all, err
}

// HasSession reports whether a user has a session, here or elsewhere. Error: as of
// Sessions; then it is not known.
func (b *Bus) HasSession(ctx context.Context, user string) (bool, error) {
	if len(b.sessionsOf(user)) > 0 {
		return true, nil
	}
	all, err := b.Sessions(ctx, user)
	return len(all) > 0, err
}

func (b *Bus) sessionsHere(user string) []SessionInfo {
	all := []SessionInfo{}
	for _, s := range b.sessionsOf(user) {
		all = append(all, SessionInfo{s.LogID(), s.Params().Protocol})
	}
	return all
}

func (b *Bus) sessionsOf(user string) []*transport.Session {
	if b.opts.Guard == nil {
		return nil
	}
	return b.opts.Guard.Sessions(user)
}

// EndSessions ends the sessions of a user, here and elsewhere as Sessions finds them, or
// only the one of this name, and returns how many those were. Their clients are told the
// reason, and not to come back by themselves; they may, as long as their tokens are good.
// Errors: as of Sessions; those that could be ended are.
func (b *Bus) EndSessions(ctx context.Context, user, session, reason string) (ended int, err error) {
	ended = b.endHere(user, session, reason)
	others, err := b.survey(ctx, inquiry{User: user, End: true, Session: session, Reason: reason})
	for _, f := range others {
		ended += f.Ended
	}
	return ended, err
}

func (b *Bus) endHere(user, session, reason string) (ended int) {
	for _, s := range b.sessionsOf(user) {
		if session != "" && s.LogID() != session {
			continue
		}
		if s.Terminate(&transport.Termination{Condition: transport.Normal, Text: reason}) {
			ended++
		}
	}
	return ended
}
