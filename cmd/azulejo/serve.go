package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"azulejo/internal/account"
	"azulejo/internal/activity"
	"azulejo/internal/api"
	"azulejo/internal/catalog"
	"azulejo/internal/config"
	"azulejo/internal/console"
	"azulejo/internal/credential"
	"azulejo/internal/db"
	"azulejo/internal/demo"
	"azulejo/internal/factor"
	"azulejo/internal/invite"
	"azulejo/internal/letters"
	"azulejo/internal/repeat"
	"azulejo/internal/s3face"
	"azulejo/internal/spool"
	"azulejo/internal/token"
	"azulejo/internal/usage"
	"azulejo/internal/vault"
	"azulejo/internal/web"
	"azulejo/vfs/file"
)

// serveCommand starts the server; its flags are the settings of package config.
type serveCommand struct {
	Args []string `arg:"" optional:"" passthrough:"" help:"Settings, such as --data DIR and --listen HOST:PORT."`
}

// configFlag names the configuration file; it is the one flag that is no setting.
const configFlag = "config"

// Run is called by the command line parser.
func (c *serveCommand) Run(ctx context.Context) error {
	settings, err := loadSettings(c.Args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	return serve(ctx, settings)
}

// listFlag collects the values of a flag that may be repeated.
type listFlag struct{ values []string }

// String returns nothing: there is no default to show.
func (*listFlag) String() string { return "" }

// Set adds a value.
func (f *listFlag) Set(v string) error {
	f.values = append(f.values, v)
	return nil
}

// switchFlag is a listFlag that may stand without a value.
type switchFlag struct{ listFlag }

// IsBoolFlag makes "--demo" mean "--demo=true".
func (*switchFlag) IsBoolFlag() bool { return true }

// loadSettings reads the settings from the configuration file, the environment and the flags.
func loadSettings(args []string) (config.Config, error) {
	set := flag.NewFlagSet("azulejo serve", flag.ContinueOnError)
	path := set.String(configFlag, "", "`file` of settings, one key = value per line")
	given := map[string]*listFlag{}
	for _, s := range config.Settings() {
		if s.Secret {
			continue
		}
		help := s.Help
		if s.Default != "" {
			help += " (default " + s.Default + ")"
		}
		if s.Default == "true" || s.Default == "false" {
			f := &switchFlag{}
			given[s.Key] = &f.listFlag
			set.Var(f, s.Key, help)
			continue
		}
		given[s.Key] = &listFlag{}
		set.Var(given[s.Key], s.Key, help)
	}
	if err := set.Parse(args); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			err = errReported // the flag set has said it
		}
		return config.Config{}, err
	}
	if set.NArg() > 0 {
		return config.Config{}, fmt.Errorf("serve takes only settings, not %q; see 'azulejo serve --help'", set.Arg(0))
	}
	var text []byte
	if *path != "" {
		var err error
		if text, err = os.ReadFile(*path); err != nil {
			return config.Config{}, fmt.Errorf("configuration file: %w", err)
		}
	}
	flags := map[string][]string{}
	for key, f := range given {
		if f.values != nil {
			flags[key] = f.values
		}
	}
	return config.Load(string(text), environment(), flags)
}

// server is a server before and while it serves.
type server struct {
	settings config.Config
	log      *slog.Logger
	store    *store
	vault    *vault.Vault
	uses     *activity.Uses
	usage    *usage.Usage
	letters  *letters.Letters
	web      *web.Server
	// compacted counts what the upkeep does.
	compacted *web.CompactMetrics
}

// serve runs the server until ctx ends, then lets running requests finish.
func serve(ctx context.Context, settings config.Config) error {
	log := web.NewLog(os.Stderr, settings.LogLevel)
	if err := os.MkdirAll(settings.Data, 0o700); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	source := databaseSource(settings)
	release, err := db.Lock(filepath.Join(settings.Data, "lock"), db.IsPostgres(source))
	if err != nil {
		return fmt.Errorf("%s: %w", settings.Data, err)
	}
	defer release()
	d, err := db.Open(ctx, source)
	if err != nil {
		return err
	}
	defer d.Close()
	s := &server{settings: settings, log: log, store: newStore(d, settings)}
	if err := s.ensureAdmin(ctx); err != nil {
		return err
	}
	if err := s.wire(ctx); err != nil {
		return err
	}
	return s.listen(ctx)
}

// ensureAdmin makes the first user. A password that was generated is shown once, on standard error.
func (s *server) ensureAdmin(ctx context.Context) error {
	generated, _, err := s.store.accounts.EnsureAdmin(ctx, s.settings.AdminPassword)
	if generated != "" {
		fmt.Fprintf(os.Stderr, "azulejo: made the user %s with the password %s; it will not be shown again\n", account.AdminName, generated)
	}
	return err
}

// limits returns what queries may hold, and makes the collector of garbage keep to it.
func (s *server) limits() vault.Limits {
	l := vault.Limits{CacheBytes: s.settings.CacheMemory, QueryBytes: s.settings.QueryMemory, TotalBytes: s.settings.TotalMemory,
		Running: s.settings.RunningQueries, Waiting: s.settings.WaitingQueries, ReadLife: s.settings.ReadLife}
	if l.Running == 0 {
		l.Running = 4 * runtime.GOMAXPROCS(0)
	}
	debug.SetMemoryLimit(l.TotalBytes + l.CacheBytes + restMemory)
	return l
}

// restMemory is what the server needs beside queries and cache, in bytes.
const restMemory = 128 << 20

// compressions are the values of the setting "compression".
var compressions = map[string]web.Compression{"remote": web.CompressRemote, "all": web.CompressAll, "none": web.CompressNone}

// wire puts the parts together and ends what a crash has interrupted.
func (s *server) wire(ctx context.Context) error {
	assets, err := catalog.Open(s.store.db, time.Now, s.settings.Data, s.settings.AllowPaths, account.AdminName)
	if err != nil {
		return err
	}
	peers := s.settings.Regions.Servers()
	assets.SetRegions(catalog.Regions{Own: s.settings.Regions.Own, Home: s.home(peers)})
	key, err := secretFile(s.settings.Data, "seal", "clients start their incomplete reads again")
	if err != nil {
		return err
	}
	s.vault = vault.New(file.New(), assets, s.limits())
	if err := useOperatorKey(s.vault, s.settings.Data); err != nil {
		return err
	}
	if lost, err := s.vault.LostKeys(ctx); err != nil {
		return err
	} else if lost > 0 {
		s.log.Warn("encrypted arrays and credentials cannot be opened: their keys were kept under another operator's key; bring back keys/arrays, or register them anew", "number", lost)
	}
	if err := s.vault.Recover(ctx); err != nil {
		return fmt.Errorf("ending what a crash interrupted: %w", err)
	}
	s.uses = activity.NewUses(s.store.db)
	s.usage = usage.New(s.store.db, time.Now)
	bodies, err := spool.Open(filepath.Join(s.settings.Data, "spool"))
	if err != nil {
		return err
	}
	factors := factor.New(s.store.db, time.Now, s.vault)
	invites := invite.New(s.store.db, time.Now)
	s.letters = s.store.letters(s.settings, invites)
	if s.letters.Sends() {
		if err := s.letters.Outbox().Resume(ctx); err != nil {
			return err
		}
	}
	operations := api.New(api.Parts{Spool: bodies, Repeats: repeat.New(s.store.db, time.Now), Accounts: s.store.accounts, Tokens: s.store.tokens, Catalog: assets, Vault: s.vault, Uses: s.uses, Usage: s.usage, Key: key,
		Invites: invites, Letters: s.letters, Secrets: credential.New(s.store.db, time.Now, s.vault), Factors: factors,
		Limits: api.Limits{MessageBytes: s.settings.MaxMessageBody, SignUp: api.SignUp(s.settings.SignUp), Endpoints: s.settings.AllowEndpoints}})
	pages, err := console.New(console.Parts{Accounts: s.store.accounts, Tokens: s.store.tokens, Catalog: assets, Letters: s.letters, Factors: factors})
	if err != nil {
		return err
	}
	metrics := web.NewMetrics()
	metrics.Registry().MustRegister(web.NewCacheMetrics(s.vault.CacheCounts), web.NewQueueMetrics(s.vault.Queue))
	s.compacted = web.NewCompactMetrics(metrics.Registry())
	files := s3face.New(s.store.accounts, s.vault)
	table := slices.Concat(operations.Operations(), files.Operations(), pages.Operations(), web.HealthOperations(metrics, s.store.db.Ping))
	docs, err := pages.Documentation(table)
	if err != nil {
		return err
	}
	table = append(table, docs...)
	options := web.Options{Now: time.Now, Log: s.log, Tokens: s.store.tokens, Accounts: s.store.accounts, Factors: factors, Metrics: metrics,
		MaxJSON: s.settings.MaxJSONBody, Compression: compressions[s.settings.Compression],
		Pace: web.Pace{Grace: s.settings.ClientGrace, Rate: s.settings.ClientRate}, Classes: append(api.Classes(), console.Classes()...), ErrorPage: pages.ErrorPage,
		Done: operations.Done, Admit: operations.Admit, Regions: peers}
	if s.store.db.Shared() {
		options.Context = s.store.db.Once
	}
	if s.web, err = web.New(options, table); err != nil {
		return err
	}
	pages.Login = s.web.Login
	return nil
}

// home returns where namespaces want what they make: the default region that a user chose, if it is one of the regions there are.
func (s *server) home(peers map[string]string) func(context.Context, string) (string, error) {
	if len(peers) == 0 {
		return nil
	}
	return func(ctx context.Context, namespaceID string) (string, error) {
		region, err := s.store.accounts.DefaultRegion(ctx, namespaceID)
		if peers[region] == "" {
			return "", err
		}
		return region, err
	}
}

// secretFile returns a secret that the server keeps among its keys: "seal", by which it knows its own resume positions, or
// "arrays", the operator's key, under which the keys of encrypted arrays are kept. It makes one at the first start. loss is
// what removing the file means.
func secretFile(data, name, loss string) ([]byte, error) {
	path := filepath.Join(data, "keys", name)
	key, err := os.ReadFile(path)
	if err == nil && len(key) == sealBytes {
		return key, nil
	}
	if err == nil {
		return nil, fmt.Errorf("%s has %d bytes instead of %d; remove it and %s", path, len(key), sealBytes, loss)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	key = make([]byte, sealBytes)
	rand.Read(key)
	// Of several servers that start at once, the first one's key counts for all.
	draft := filepath.Join(filepath.Dir(path), name+"-"+rand.Text())
	f, err := os.OpenFile(draft, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if _, err = f.Write(key); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	err = os.Link(draft, path)
	if errors.Is(err, os.ErrExist) {
		key, err = os.ReadFile(path)
	}
	return key, errors.Join(err, os.Remove(draft))
}

const sealBytes = 32

// listen serves until ctx ends. It says on standard output that it is ready, and nothing else unless the demo is loaded.
func (s *server) listen(ctx context.Context) error {
	listener, err := net.Listen("tcp", s.settings.Listen)
	if err != nil {
		return err
	}
	address := "http://" + listener.Addr().String()
	if s.settings.TLS() {
		pair, err := tls.LoadX509KeyPair(s.settings.TLSCert, s.settings.TLSKey)
		if err != nil {
			return errors.Join(fmt.Errorf("certificate: %w", err), listener.Close())
		}
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}})
		address = "https://" + listener.Addr().String()
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	var housekeeping sync.WaitGroup
	housekeeping.Go(func() {
		s.store.tokens.Run(background, func(err error) { s.log.Error("token housekeeping", "error", err) })
	})
	housekeeping.Go(func() {
		s.uses.Run(background, func(err error) { s.log.Error("activity", "error", err) })
	})
	housekeeping.Go(func() {
		s.usage.Run(background, func(err error) { s.log.Error("usage", "error", err) })
	})
	if s.letters.Sends() {
		housekeeping.Go(func() {
			s.letters.Outbox().Run(background, func(err error) { s.log.Error("mail", "error", err) })
		})
	}
	housekeeping.Go(func() {
		switch n, err := s.vault.IndexMissing(background); {
		case err != nil && background.Err() == nil:
			s.log.Error("search index", "error", err)
		case n > 0:
			s.log.Info("assets were put into the search index", "assets", n)
		}
	})
	s.keepAudit(background, &housekeeping)
	if s.store.db.Shared() {
		turns := time.NewTicker(recoverEvery)
		defer turns.Stop()
		housekeeping.Go(func() { s.keepRecovering(background, turns.C) })
	}
	if s.settings.Compact.On {
		rounds := time.NewTicker(s.settings.Compact.Every)
		defer rounds.Stop()
		housekeeping.Go(func() { s.keepCompact(background, rounds.C) })
	}
	defer func() {
		stop()
		housekeeping.Wait()
	}()
	httpServer := web.NewHTTPServer(s.web, s.log)
	served := make(chan error, 1)
	go func() { served <- httpServer.Serve(listener) }()
	fmt.Printf("azulejo: ready on %s\n", address)
	if s.settings.Demo {
		if err := s.loadDemo(ctx, address); err != nil {
			s.log.Error("demo", "error", err)
			fmt.Fprintln(os.Stderr, "azulejo: the demonstration data was not loaded:", err)
		}
	}
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	s.log.Info("stopping", "grace", s.settings.ShutdownGrace)
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.settings.ShutdownGrace)
	defer cancel()
	stopped := httpServer.Shutdown(grace)
	if stopped != nil {
		s.log.Error("requests were cut off", "error", stopped)
		stopped = httpServer.Close()
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return errors.Join(stopped, err)
	}
	return stopped
}

// retainEvery is how often activity that is older than it is kept is removed.
const retainEvery = time.Hour

// keepAudit sends the audit log where the settings say and removes old activity, until ctx ends.
func (s *server) keepAudit(ctx context.Context, all *sync.WaitGroup) {
	report := func(err error) { s.log.Error("audit", "error", err) }
	audit := s.settings.Audit
	if audit.File != "" {
		stream := activity.NewStream(s.store.db, "file", activity.ToFile(audit.File))
		all.Go(func() { stream.Run(ctx, report) })
	}
	if audit.Webhook != "" {
		client := credential.Client(s.settings.AllowEndpoints)
		stream := activity.NewStream(s.store.db, "webhook", activity.ToWebhook(client, audit.Webhook, audit.Secret))
		all.Go(func() { stream.Run(ctx, report) })
	}
	if audit.Retention == 0 {
		return
	}
	turns := time.NewTicker(retainEvery)
	all.Go(func() {
		defer turns.Stop()
		for {
			if err := s.uses.Retain(ctx, time.Now().Add(-audit.Retention)); err != nil && ctx.Err() == nil {
				report(err)
			}
			select {
			case <-turns.C:
			case <-ctx.Done():
				return
			}
		}
	})
}

// recoverEvery is how often one of several servers ends what another has left that crashed.
const recoverEvery = 15 * time.Second

// keepRecovering ends what crashed servers on the same database have left, at every turn until ctx ends.
func (s *server) keepRecovering(ctx context.Context, turns <-chan time.Time) {
	for {
		select {
		case <-turns:
		case <-ctx.Done():
			return
		}
		if err := s.vault.Recover(ctx); err != nil && !errors.Is(err, context.Canceled) {
			s.log.Error("ending what another server left", "error", err)
		}
	}
}

// demoTokenLife is how long the token in the demo's snippet works.
const demoTokenLife = 30 * 24 * time.Hour

// loadDemo loads the demonstration data through the API and prints what to paste into Python.
func (s *server) loadDemo(ctx context.Context, address string) error {
	admin, err := s.store.accounts.ByName(ctx, account.AdminName)
	if err != nil {
		return err
	}
	secret, _, err := s.store.tokens.Create(ctx, token.SubjectOf(admin), token.NewToken{Name: "demo", Origin: commandLine,
		Expires: s.store.tokens.Now().Add(demoTokenLife)})
	if err != nil {
		return err
	}
	at := demo.Server{Base: address, Token: secret.Reveal(), Namespace: admin.Name}
	sets, err := demo.Load(ctx, at)
	if err != nil {
		return err
	}
	fmt.Println("\nLoaded into the namespace " + admin.Name + ":")
	for _, set := range sets {
		fmt.Printf("  tiledb://%s/%s  %s\n", admin.Name, set.Name, set.About)
	}
	fmt.Printf("\nPaste this into Python (%s):\n\n%s", demo.Install, demo.Snippet(at))
	return nil
}
