package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"azulejo/internal/access"
	"azulejo/internal/account"
	"azulejo/internal/activity"
	"azulejo/internal/config"
	"azulejo/internal/db"
	"azulejo/internal/invite"
	"azulejo/internal/letters"
	"azulejo/internal/mail"
	"azulejo/internal/token"
)

// dataFlag names the data directory that a command works on; a server may be running on it.
type dataFlag struct {
	Data string `default:"./azulejo-data" help:"Data directory of the server." env:"AZULEJO_DATA"`
}

// store is an open data directory as the command line uses it.
type store struct {
	db       *db.DB
	settings config.Config
	accounts *account.Accounts
	tokens   *token.Tokens
}

// open opens the database of an existing data directory; the caller closes store.db.
func (f dataFlag) open(ctx context.Context) (*store, error) {
	settings, err := config.Load("", environment(), map[string][]string{"data": {f.Data}})
	if err != nil {
		return nil, err
	}
	source := databaseSource(settings)
	if _, err := os.Stat(source); err != nil && !db.IsPostgres(source) {
		return nil, fmt.Errorf("%s is not a data directory (no %s); name one with --data, or start 'azulejo serve' once to make it",
			f.Data, filepath.Base(source))
	}
	d, err := db.Open(ctx, source)
	if err != nil {
		return nil, err
	}
	return newStore(d, settings), nil
}

func newStore(d *db.DB, settings config.Config) *store {
	lives := token.Lives{API: settings.TokenLife, Session: settings.SessionLife, Remember: settings.RememberLife, Max: settings.MaxTokenLife}
	return &store{db: d, settings: settings, accounts: account.New(d, time.Now, settings.PasswordHashers), tokens: token.New(d, time.Now, lives)}
}

// letters returns the mails of a server with these settings.
func (s *store) letters(settings config.Config, invites *invite.Invitations) *letters.Letters {
	p := letters.Parts{DB: s.db, Now: time.Now, Accounts: s.accounts, Tokens: s.tokens, Invites: invites, URL: settings.PublicURL}
	if m := settings.Mail; m.Server != "" {
		p.Send = mail.Server{Address: m.Server, Security: mail.Security(m.Security), User: m.User, Password: m.Password, From: m.From}.Send
	}
	return letters.New(p)
}

// databaseSource is where the metadata database lies: a URL, or a file in the data directory.
func databaseSource(settings config.Config) string {
	if settings.Database != "" {
		return settings.Database
	}
	return filepath.Join(settings.Data, "azulejo.db")
}

// environment returns the process's environment as a map.
func environment() map[string]string {
	env := map[string]string{}
	for _, pair := range os.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	return env
}

type tokenCommand struct {
	Create tokenCreate `cmd:"" help:"Create a token and print its secret, once."`
	List   tokenList   `cmd:"" help:"List a user's tokens, without their secrets."`
	Revoke tokenRevoke `cmd:"" help:"Revoke a token; the next request with it is refused."`
}

// userFlag names whose tokens a command is about.
type userFlag struct {
	User string `default:"admin" help:"The tokens' owner."`
}

func (f userFlag) subject(ctx context.Context, s *store) (access.Subject, error) {
	u, err := s.accounts.ByName(ctx, f.User)
	if err != nil {
		return access.Subject{}, fmt.Errorf("user %q: %w", f.User, err)
	}
	return token.SubjectOf(u), nil
}

// commandLine is how the audit log names what was done by these commands.
var commandLine = activity.Origin{Agent: "azulejo command line"}

type tokenCreate struct {
	dataFlag
	userFlag
	Name    string        `help:"Name of the token; generated when absent."`
	Expires time.Duration `help:"Life of the token, such as 720h; the server's default when absent."`
	Scope   []string      `help:"What the token may be used for, such as array:read; everything when absent." sep:","`
}

// Run is called by the command line parser.
func (c *tokenCreate) Run(ctx context.Context) error {
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.db.Close()
	by, err := c.subject(ctx, s)
	if err != nil {
		return err
	}
	want := token.NewToken{Name: c.Name, Scopes: c.Scope, Origin: commandLine}
	if c.Expires != 0 {
		want.Expires = s.tokens.Now().Add(c.Expires)
	}
	secret, made, err := s.tokens.Create(ctx, by, want)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "azulejo: token %q of %s, scope %s, valid until %s; this is the only time it is shown\n",
		made.Name, c.User, strings.Join(made.Scopes.Texts(), " "), made.ExpiresAt.Format(time.RFC3339))
	fmt.Println(secret.Reveal())
	return nil
}

type tokenList struct {
	dataFlag
	userFlag
	Sessions bool `help:"List login sessions instead of API tokens."`
}

// Run is called by the command line parser.
func (c *tokenList) Run(ctx context.Context) error {
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.db.Close()
	by, err := c.subject(ctx, s)
	if err != nil {
		return err
	}
	list, err := s.tokens.List(ctx, by.UserID, c.Sessions)
	if err != nil {
		return err
	}
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "NAME\tSCOPE\tTOKEN\tISSUED\tEXPIRES\tSTATUS")
	for _, t := range list {
		fmt.Fprintf(out, "%s\t%s\t…%s\t%s\t%s\t%s\n", t.Name, strings.Join(t.Scopes.Texts(), " "), t.Tail,
			t.IssuedAt.Format(time.RFC3339), t.ExpiresAt.Format(time.RFC3339), t.Status(s.tokens.Now()))
	}
	return out.Flush()
}

type tokenRevoke struct {
	dataFlag
	userFlag
	Token string `arg:"" help:"Name, id or secret of the token."`
}

// Run is called by the command line parser.
func (c *tokenRevoke) Run(ctx context.Context) error {
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer s.db.Close()
	by, err := c.subject(ctx, s)
	if err != nil {
		return err
	}
	if err := s.tokens.Revoke(ctx, by, c.Token, commandLine); err != nil {
		return fmt.Errorf("revoke a token of %s: %w; 'azulejo token list --user %s' shows what there is", c.User, err, c.User)
	}
	return nil
}
