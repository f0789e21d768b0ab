package activity

import (
	"context"
	"database/sql"
	"time"
)

// actorKey is where As keeps who acts.
type actorKey struct{}

// actor is who acts, from where.
type actor struct {
	userID, tokenID string
	from            Origin
}

// As returns a context in which what is done is done by a user, with the token of an id, from a place: changes that write a
// line of the audit log take it from there.
func As(ctx context.Context, userID, tokenID string, from Origin) context.Context {
	return context.WithValue(ctx, actorKey{}, actor{userID, tokenID, from})
}

// RecordBy is Record of what the actor of the context did.
func RecordBy(ctx context.Context, tx *sql.Tx, at time.Time, event Event, detail string) error {
	by, _ := ctx.Value(actorKey{}).(actor) // nobody: the server itself
	return Record(ctx, tx, Entry{At: at, Event: event, UserID: by.userID, TokenID: by.tokenID, Origin: by.from, Detail: detail})
}
