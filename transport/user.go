package transport

import "context"

type userKey struct{}

// WithUser returns a context that says whose request it is: whoever signs users
// in calls it, before the carrier's handler. Options.Admit and backends find the
// user by [UserOf].
func WithUser(ctx context.Context, user string) context.Context {
	return context.WithValue(ctx, userKey{}, user)
}

// UserOf returns whose request the context is of; empty: nobody's in particular.
func UserOf(ctx context.Context) string {
	user, _ := ctx.Value(userKey{}).(string)
	return user
}
