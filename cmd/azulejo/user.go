package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"azulejo/internal/account"
	"azulejo/internal/factor"
	"azulejo/internal/invite"
	"azulejo/internal/letters"
)

type userCommand struct {
	Add      userAdd      `cmd:"" help:"Add a user; the password comes from standard input."`
	List     userList     `cmd:"" help:"List all users."`
	Approve  userApprove  `cmd:"" help:"Let a user in who signed up and waits for it."`
	Disable  userDisable  `cmd:"" help:"Let a user in no longer, neither by password nor by token."`
	Enable   userEnable   `cmd:"" help:"Let a disabled user in again."`
	Codeless userCodeless `cmd:"" help:"Remove the second factor of a user who lost it."`
	Reset    userReset    `cmd:"" help:"Make a link with which a user sets a new password, once, within an hour."`
	Confirm  userConfirm  `cmd:"" help:"Make a link with which a user shows that a mail address is its own, for who has no mail server."`
}

// userNamed is a command on one user.
type userNamed struct {
	dataFlag
	Name string `arg:"" help:"User name."`
}

// do opens the store and does work on the user.
func (c *userNamed) do(ctx context.Context, work func(*store, account.User) error) error {
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.db.Close()
	u, err := s.accounts.ByName(ctx, c.Name)
	if err != nil {
		return fmt.Errorf("user %s: %w", c.Name, err)
	}
	return work(s, u)
}

type userList struct{ dataFlag }

// Run is called by the command line parser.
func (c *userList) Run(ctx context.Context) error {
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.db.Close()
	users, err := s.accounts.List(ctx)
	if err != nil {
		return err
	}
	for _, u := range users {
		state := "active"
		if u.Disabled {
			state = "disabled"
		}
		if u.Admin {
			state += ", admin"
		}
		if u.Service != "" {
			state += ", service account"
		}
		fmt.Printf("%s\t%s\t%s\n", u.Name, state, u.CreatedAt.Format("2006-01-02"))
	}
	return nil
}

type userCodeless struct{ userNamed }

// Run is called by the command line parser.
func (c *userCodeless) Run(ctx context.Context) error {
	return c.do(ctx, func(s *store, u account.User) error {
		if err := factor.New(s.db, time.Now, nil).Remove(ctx, u.ID); err != nil {
			return fmt.Errorf("user %s: %w", u.Name, err)
		}
		fmt.Printf("user %s signs in by password alone\n", u.Name)
		return nil
	})
}

type userApprove struct{ userNamed }

// Run is called by the command line parser.
func (c *userApprove) Run(ctx context.Context) error {
	return c.do(ctx, func(s *store, u account.User) error {
		if err := s.accounts.Approve(ctx, u.ID); err != nil {
			return fmt.Errorf("user %s does not wait to be let in: %w", u.Name, err)
		}
		fmt.Printf("user %s let in\n", u.Name)
		return nil
	})
}

type userDisable struct{ userNamed }

// Run is called by the command line parser.
func (c *userDisable) Run(ctx context.Context) error { return c.setDisabled(ctx, true, "disabled") }

type userEnable struct{ userNamed }

// Run is called by the command line parser.
func (c *userEnable) Run(ctx context.Context) error { return c.setDisabled(ctx, false, "enabled") }

func (c *userNamed) setDisabled(ctx context.Context, off bool, said string) error {
	return c.do(ctx, func(s *store, u account.User) error {
		if err := s.accounts.SetDisabled(ctx, u.ID, off); err != nil {
			return err
		}
		fmt.Printf("user %s %s\n", u.Name, said)
		return nil
	})
}

type userReset struct{ userNamed }

// Run is called by the command line parser.
func (c *userReset) Run(ctx context.Context) error {
	return c.do(ctx, func(s *store, u account.User) error {
		link, until, err := s.links().ResetLink(ctx, u, commandLine)
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "azulejo: give this to %s only; until %s it opens a page of the server that sets a new password, once\n", u.Name, until.Format(time.RFC3339))
		fmt.Println(link)
		return nil
	})
}

type userConfirm struct{ userNamed }

// Run is called by the command line parser.
func (c *userConfirm) Run(ctx context.Context) error {
	return c.do(ctx, func(s *store, u account.User) error {
		link, until, err := s.links().ConfirmLink(ctx, u, commandLine)
		if err != nil {
			return fmt.Errorf("user %s: %w", u.Name, err)
		}
		fmt.Fprintf(os.Stderr, "azulejo: send this to %s only; until %s it opens a page of the server that confirms the address, once\n", u.Email, until.Format(time.RFC3339))
		fmt.Println(link)
		return nil
	})
}

// links makes links that are shown here and not mailed.
func (s *store) links() *letters.Letters {
	return s.letters(s.settings, invite.New(s.db, time.Now))
}

type userAdd struct {
	dataFlag
	Name     string `arg:"" help:"User name, also the name of the user's namespace."`
	FullName string `help:"The person's name."`
	Email    string `help:"The person's mail address."`
	Admin    bool   `help:"May manage the server's users."`
}

// Run is called by the command line parser.
func (c *userAdd) Run(ctx context.Context) error {
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.db.Close()
	fmt.Fprintf(os.Stderr, "azulejo: password for %s (a line on standard input): ", c.Name)
	password, err := bufio.NewReader(os.Stdin).ReadString('\n')
	fmt.Fprintln(os.Stderr)
	if err != nil && password == "" {
		return fmt.Errorf("no password on standard input: %w", err)
	}
	u, err := s.accounts.Create(ctx, account.NewUser{Name: c.Name, Password: strings.TrimRight(password, "\r\n"),
		FullName: c.FullName, Email: c.Email, Admin: c.Admin})
	if err != nil {
		return err
	}
	fmt.Printf("user %s added\n", u.Name)
	return nil
}
