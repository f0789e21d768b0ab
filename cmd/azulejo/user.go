package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"

	"azulejo/internal/account"
)

type userCommand struct {
	Add userAdd `cmd:"" help:"Add a user; the password comes from standard input."`
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
