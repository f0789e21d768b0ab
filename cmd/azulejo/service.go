package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"azulejo/internal/access"
	"azulejo/internal/account"
	"azulejo/internal/token"
)

type serviceCommand struct {
	Add     serviceAdd     `cmd:"" help:"Make a service account."`
	List    serviceList    `cmd:"" help:"List the service accounts of an organization."`
	Disable serviceDisable `cmd:"" help:"Let the tokens of a service account in no longer."`
	Enable  serviceEnable  `cmd:"" help:"Let them in again."`
	Remove  serviceRemove  `cmd:"" help:"Remove a service account with its tokens."`
	Token   serviceToken   `cmd:"" help:"Make a token of a service account and print its secret, once."`
}

// inOrganization is a command about an organization.
type inOrganization struct {
	dataFlag
	Organization string `arg:"" help:"Name of the organization."`
}

// do opens the store and does work on the organization, whose id it passes.
func (c *inOrganization) do(ctx context.Context, work func(*store, string) error) (err error) {
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.db.Close()) }()
	n, err := s.accounts.Namespace(ctx, c.Organization)
	if errors.Is(err, account.ErrNotFound) || err == nil && !n.Organization {
		return fmt.Errorf("there is no organization %s", c.Organization)
	}
	if err != nil {
		return err
	}
	return work(s, n.ID)
}

// serviceNamed is a command about one service account.
type serviceNamed struct {
	inOrganization
	Name string `arg:"" help:"Name of the service account."`
}

func (c *serviceNamed) on(ctx context.Context, work func(*store, account.Service) error) error {
	return c.do(ctx, func(s *store, organizationID string) error {
		found, err := s.accounts.FindService(ctx, organizationID, c.Name)
		if err != nil {
			return fmt.Errorf("%s of %s: %w", c.Name, c.Organization, err)
		}
		return work(s, found)
	})
}

type serviceAdd struct {
	serviceNamed
	Role        string `default:"read_only" help:"Role in the organization: admin, read_write_delete, read_write or read_only."`
	Description string `help:"What it is for."`
}

// Run is called by the command line parser.
func (c *serviceAdd) Run(ctx context.Context) error {
	return c.do(ctx, func(s *store, organizationID string) error {
		_, err := s.accounts.CreateService(ctx, account.NewService{OrganizationID: organizationID, Name: c.Name, Description: c.Description,
			Role: access.Role(c.Role), Origin: commandLine})
		if err == nil {
			fmt.Printf("service account %s of %s added, as %s\n", c.Name, c.Organization, c.Role)
		}
		return err
	})
}

type serviceList struct{ inOrganization }

// Run is called by the command line parser.
func (c *serviceList) Run(ctx context.Context) error {
	return c.do(ctx, func(s *store, organizationID string) error {
		list, err := s.accounts.Services(ctx, organizationID)
		for _, one := range list {
			state := "active"
			if one.Disabled {
				state = "disabled"
			}
			fmt.Printf("%s\t%s\t%s\t%s\n", one.Name, one.Role, state, one.CreatedAt.Format(time.DateOnly))
		}
		return err
	})
}

type serviceDisable struct{ serviceNamed }

// Run is called by the command line parser.
func (c *serviceDisable) Run(ctx context.Context) error { return c.set(ctx, true, "disabled") }

type serviceEnable struct{ serviceNamed }

// Run is called by the command line parser.
func (c *serviceEnable) Run(ctx context.Context) error { return c.set(ctx, false, "enabled") }

func (c *serviceNamed) set(ctx context.Context, off bool, said string) error {
	return c.on(ctx, func(s *store, one account.Service) error {
		err := s.accounts.UpdateService(ctx, one, account.ServicePatch{Disabled: &off, Origin: commandLine})
		if err == nil {
			fmt.Printf("service account %s %s\n", one.Name, said)
		}
		return err
	})
}

type serviceRemove struct{ serviceNamed }

// Run is called by the command line parser.
func (c *serviceRemove) Run(ctx context.Context) error {
	return c.on(ctx, func(s *store, one account.Service) error {
		err := s.accounts.DeleteService(ctx, one, "", commandLine)
		if err == nil {
			fmt.Printf("service account %s removed\n", one.Name)
		}
		return err
	})
}

type serviceToken struct {
	serviceNamed
	TokenName string        `name:"name" help:"Name of the token; generated when absent."`
	Expires   time.Duration `help:"Life of the token, such as 720h; the server's default when absent."`
	Scope     []string      `help:"What the token may be used for; all that service accounts may do when absent." sep:","`
}

// Run is called by the command line parser.
func (c *serviceToken) Run(ctx context.Context) error {
	return c.on(ctx, func(s *store, one account.Service) error {
		n := token.NewToken{Name: c.TokenName, Scopes: c.Scope, Origin: commandLine}
		if c.Expires != 0 {
			n.Expires = s.tokens.Now().Add(c.Expires)
		}
		secret, made, err := s.tokens.Create(ctx, token.SubjectOf(one.User), n)
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "azulejo: token %q of %s, scope %s, valid until %s; this is the only time it is shown\n",
			made.Name, one.Name, strings.Join(made.Scopes.Texts(), " "), made.ExpiresAt.Format(time.RFC3339))
		fmt.Println(secret.Reveal())
		return nil
	})
}
