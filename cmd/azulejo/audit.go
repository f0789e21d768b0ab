package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"azulejo/internal/activity"
)

type auditCommand struct {
	dataFlag
	User  string        `help:"Only what this user did, or what was done with its tokens."`
	Event string        `help:"Only events of this name, such as token-created or password-failed."`
	Since time.Duration `help:"Only the last so many hours and minutes, such as 24h."`
	Limit int           `default:"100" help:"Print at most so many, the newest."`
	JSON  bool          `help:"Print one JSON object a line."`
}

// Run is called by the command line parser.
func (c *auditCommand) Run(ctx context.Context) (err error) {
	if c.Limit < 1 {
		return errors.New("--limit is at least 1")
	}
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.db.Close()) }()
	f := activity.Filter{Event: activity.Event(c.Event)}
	if c.Since > 0 {
		f.Since = time.Now().Add(-c.Since)
	}
	names := map[string]string{}
	users, err := s.accounts.List(ctx)
	if err != nil {
		return err
	}
	for _, u := range users {
		names[u.ID] = u.Name
	}
	if c.User != "" {
		u, err := s.accounts.ByName(ctx, c.User)
		if err != nil {
			return fmt.Errorf("user %s: %w", c.User, err)
		}
		f.UserID = u.ID
	}
	list, err := activity.Find(ctx, s.db.Read(), f, c.Limit)
	if err != nil {
		return err
	}
	for i := len(list) - 1; i >= 0; i-- { // the newest last, as in a log
		if err := c.print(list[i], names[list[i].UserID]); err != nil {
			return err
		}
	}
	return nil
}

// print prints an entry; name is the user's, empty for one that was deleted.
func (c *auditCommand) print(e activity.Entry, name string) error {
	at := e.At.Format(time.RFC3339)
	if !c.JSON {
		if name == "" {
			name = e.UserID
		}
		_, err := fmt.Printf("%s\t%s\t%s\t%q\t%s\t%s\t%q\n", at, e.Event, name, e.TokenName, e.Origin.Address, e.Origin.RequestID, e.Detail)
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]string{"at": at, "event": string(e.Event), "user": name, "user_id": e.UserID,
		"token_id": e.TokenID, "token_name": e.TokenName, "address": e.Origin.Address, "request_id": e.Origin.RequestID, "detail": e.Detail})
}
