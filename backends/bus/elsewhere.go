package bus

import (
	"context"
	"encoding/json"
)

// This file is for several processes that share one engine: what only the process with
// a session knows, the others ask for.

// An inquiry is what is asked: for the sessions of a user, or that they end. A new field
// is one that processes of the version before leave out.
type inquiry struct {
	User    string `json:"user"`
	End     bool   `json:"end,omitempty"`
	Session string `json:"session,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

type finding struct {
	Sessions []SessionInfo `json:"sessions,omitempty"`
	Ended    int           `json:"ended,omitempty"`
}

// Answer answers what the Survey of another process asks.
func (b *Bus) Answer(question []byte) []byte {
	var q inquiry
	var f finding
	switch err := json.Unmarshal(question, &q); {
	case err != nil:
		b.opts.Logger.Error("bus: what another process asks cannot be read", "error", err)
	case q.End:
		f.Ended = b.endHere(q.User, q.Session, q.Reason)
	default:
		f.Sessions = b.sessionsHere(q.User)
	}
	answer, err := json.Marshal(&f)
	if err != nil {
		panic(err) // strings and numbers: it cannot be
	}
	return answer
}

// survey asks the other processes, if there are any.
func (b *Bus) survey(ctx context.Context, q inquiry) (all []finding, err error) {
	if b.opts.Survey == nil || b.opts.Guard == nil {
		return nil, nil
	}
	question, err := json.Marshal(&q)
	if err != nil {
		return nil, err
	}
	answers, err := b.opts.Survey(ctx, question)
	for _, a := range answers {
		var f finding
		if err := json.Unmarshal(a, &f); err != nil {
			return all, &Error{Code: Internal, Text: "the server failed", Err: err}
		}
		all = append(all, f)
	}
	if err != nil {
		err = &Error{Code: Unavailable, Text: "not all servers can be asked just now", Err: err}
	}
	return all, err
}
