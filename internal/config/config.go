// Package config holds the settings of the server: one struct, one table of
// settings with their defaults, units and help texts, and one rule of
// precedence (default < file < environment < flag).
//
// The package is pure. It reads no file, no environment and no command line:
// the caller hands all three in as data. A key nobody knows is an error in
// each of them, so that a misspelt setting is noticed at start-up.
package config

import (
	"strings"
	"time"
)

// Config is every setting of the server. It is passed by value. Load fills in
// the defaults named in the table of settings (Settings); the zero Config is
// not usable.
type Config struct {
	Data         string   // directory of the database, the keys and the default storage
	Database     string   // URL of a PostgreSQL database, empty for a SQLite file in Data
	Listen       string   // host:port to serve on; port 0 picks a free one
	TLSCert      string   // file with the PEM certificate chain, empty for plain HTTP
	TLSKey       string   // file with the PEM private key of TLSCert
	InsecureHTTP bool     // allow plain HTTP on an address other machines can reach
	AllowPaths   []string // local directories from which the admin may register arrays

	AllowEndpoints []string // hosts in private networks that users may name as endpoints of object stores

	Audit     Audit  // where the audit log is sent to
	PublicURL string // address under which people reach the server, for links in mails; without a slash at the end
	Mail      Mail   // how mail is sent

	Regions Regions // where several servers have storage of their own

	AdminPassword string // password of the first user, ignored once that user exists
	SignUp        string // who may make an account: invite, approval or open

	TokenLife    time.Duration // life of a token made without an expiry
	SessionLife  time.Duration // life of a login session
	RememberLife time.Duration // life of a login session with remember_me
	MaxTokenLife time.Duration // longest life of any token, 0 for no maximum

	MaxJSONBody     int64         // bytes of a JSON request body
	MaxMessageBody  int64         // bytes of a Cap'n Proto request body with its cell data
	QueryMemory     int64         // bytes one query may hold
	TotalMemory     int64         // bytes all running queries may hold together
	RunningQueries  int           // queries that compute at once, in each of two lanes, 0 for four times the processors
	WaitingQueries  int           // queries that may wait, in each of two lanes
	CacheMemory     int64         // bytes of decoded schemas, footers and cells to keep, 0 for none
	ClientGrace     time.Duration // time that a client may take for a body or a reply beyond what ClientRate allows
	ClientRate      int64         // bytes a second that a client must send or take, 0 for any
	Compression     string        // whose replies are compressed: remote, all or none
	PasswordHashers int           // password hashes computed at once, each takes 19 MiB
	ReadLife        time.Duration // time that the snapshot of an incomplete read stays after its last request
	Demo            bool          // load the demonstration data at start

	Compact Compact // the upkeep of arrays in the background

	ShutdownGrace time.Duration // time that running requests get after SIGTERM
	LogLevel      string        // debug, info, warn or error
}

// Audit is where the audit log is sent to, and how long activity is kept.
type Audit struct {
	File, Webhook string        // empty for neither
	Secret        string        // signs what goes to the webhook, empty for no signature
	Retention     time.Duration // of the activity of assets, 0 for ever
}

// Mail is how the server sends mail.
type Mail struct {
	Server         string // host:port of an SMTP server, empty for no mail
	Security       string // starttls, implicit or none
	User, Password string // to log in there, empty for not
	From           string // sender's address
}

// Regions are the places that have storage of their own, each with servers that share one database.
type Regions struct {
	Own   string   // this server's
	Peers []string // "name=URL" of the servers of each region
}

// Servers returns the addresses of the regions' servers by name, without a slash at the end.
func (r Regions) Servers() map[string]string {
	peers := make(map[string]string, len(r.Peers))
	for _, p := range r.Peers {
		if name, address, ok := strings.Cut(p, "="); ok {
			peers[name] = strings.TrimSuffix(address, "/")
		}
	}
	return peers
}

// Compact is what the server does by itself to keep arrays and groups compact.
type Compact struct {
	On                 bool
	Every              time.Duration // time between two rounds
	Grace              time.Duration // time that replaced files stay
	History            time.Duration // how far back arrays must read as they did, math.MaxInt64 for all time
	Fragments, Commits int           // how many there may be before they are merged, 0 for any number
	FragmentSize       int64         // bytes that fragments should have
}

// Setting describes one setting. Settings returns them all; the documentation
// page and the command line are made from that list.
type Setting struct {
	Key     string // name in the file and of the flag, for example "max-token-life"
	Default string // text of the default, "" for none
	Help    string // one sentence, with the unit
	Secret  bool   // may come from the environment only and is never printed
	Repeat  bool   // may be given several times

	set func(*Config, string) error
}

// Env is the name of the setting's environment variable, for example
// AZULEJO_MAX_TOKEN_LIFE.
func (s Setting) Env() string { return envName(s.Key) }

const (
	mebibyte = 1 << 20
	gibibyte = 1 << 30
)

// settings is the table of all settings. Each default stands beside its key.
var settings = []Setting{
	{Key: "data", Default: "./azulejo-data", Help: "directory of the database, the keys and the default storage",
		set: text(func(c *Config) *string { return &c.Data })},
	{Key: "database", Secret: true, Help: "postgres:// URL of the metadata database, which several servers may share; without it a SQLite file in the data directory",
		set: text(func(c *Config) *string { return &c.Database })},
	{Key: "listen", Default: "127.0.0.1:8080", Help: "host:port to serve on; port 0 picks a free one",
		set: text(func(c *Config) *string { return &c.Listen })},
	{Key: "tls-cert", Help: "file with the PEM certificate chain",
		set: text(func(c *Config) *string { return &c.TLSCert })},
	{Key: "tls-key", Help: "file with the PEM private key",
		set: text(func(c *Config) *string { return &c.TLSKey })},
	{Key: "insecure-http", Default: "false", Help: "serve plain HTTP on an address that other machines can reach",
		set: boolean(func(c *Config) *bool { return &c.InsecureHTTP })},
	{Key: "allow-path", Repeat: true, Help: "directory from which the admin may register and create local arrays",
		set: appendText(func(c *Config) *[]string { return &c.AllowPaths })},
	{Key: "allow-endpoint", Repeat: true, Help: "host, or host:port, that users may name as endpoint of an object store though it is on this machine or in a private network",
		set: appendText(func(c *Config) *[]string { return &c.AllowEndpoints })},
	{Key: "audit-file", Help: "file to which the audit log is appended as lines of JSON",
		set: text(func(c *Config) *string { return &c.Audit.File })},
	{Key: "audit-webhook", Help: "URL to which the audit log is posted as JSON; not on this machine or in a private network unless allow-endpoint names its host",
		set: text(func(c *Config) *string { return &c.Audit.Webhook })},
	{Key: "audit-webhook-secret", Secret: true, Help: "text with which what is posted is signed",
		set: text(func(c *Config) *string { return &c.Audit.Secret })},
	{Key: "activity-retention", Default: "0s", Help: "time that the activity of assets is kept, 0 for ever; the audit log is always kept",
		set: duration(func(c *Config) *time.Duration { return &c.Audit.Retention })},
	{Key: "public-url", Help: "address under which people reach the server, such as https://arrays.example.org; links in mails begin with it",
		set: text(func(c *Config) *string { return &c.PublicURL })},
	{Key: "region", Help: "name of the region whose storage this server has, where several servers with storage of their own share one database",
		set: text(func(c *Config) *string { return &c.Regions.Own })},
	{Key: "region-server", Repeat: true, Help: "NAME=URL of a region's servers, such as eu=https://eu.example.org; what is stored in another region is answered by a redirect to its URL, and to no other address",
		set: appendText(func(c *Config) *[]string { return &c.Regions.Peers })},
	{Key: "mail-server", Help: "host:port of the SMTP server that takes mail; without one the administrator passes links on",
		set: text(func(c *Config) *string { return &c.Mail.Server })},
	{Key: "mail-security", Default: "starttls", Help: "protection of the connection to it: starttls, implicit (TLS from the first byte) or none",
		set: text(func(c *Config) *string { return &c.Mail.Security })},
	{Key: "mail-user", Help: "user name to log in there, which needs TLS unless the mail server is on this machine",
		set: text(func(c *Config) *string { return &c.Mail.User })},
	{Key: "mail-password", Secret: true, Help: "password of mail-user",
		set: text(func(c *Config) *string { return &c.Mail.Password })},
	{Key: "mail-from", Help: "sender's address, such as Azulejo <azulejo@example.org>",
		set: text(func(c *Config) *string { return &c.Mail.From })},
	{Key: "admin-password", Secret: true, Help: "password of the first user; ignored once that user exists",
		set: text(func(c *Config) *string { return &c.AdminPassword })},
	{Key: "sign-up", Default: "invite", Help: "who may make an account: invite (only the admin makes them), approval (anybody, and the admin lets them in) or open (anybody)",
		set: text(func(c *Config) *string { return &c.SignUp })},
	{Key: "token-life", Default: "30m", Help: "life of a token made without an expiry",
		set: duration(func(c *Config) *time.Duration { return &c.TokenLife })},
	{Key: "session-life", Default: "30m", Help: "life of a login session",
		set: duration(func(c *Config) *time.Duration { return &c.SessionLife })},
	{Key: "remember-life", Default: "720h", Help: "life of a login session that is to be remembered",
		set: duration(func(c *Config) *time.Duration { return &c.RememberLife })},
	{Key: "max-token-life", Default: "0s", Help: "longest life of any token, 0 for no maximum",
		set: duration(func(c *Config) *time.Duration { return &c.MaxTokenLife })},
	{Key: "max-json-body", Default: "4MiB", Help: "size of a JSON request body",
		set: size(func(c *Config) *int64 { return &c.MaxJSONBody })},
	{Key: "max-message-body", Default: "4GiB", Help: "size of the cells in a request body, also when they are compressed",
		set: size(func(c *Config) *int64 { return &c.MaxMessageBody })},
	{Key: "client-rate", Default: "16KiB", Help: "bytes that a client must send of a body or take of a reply in each second that the server waits for it, 0 for any number",
		set: size(func(c *Config) *int64 { return &c.ClientRate })},
	{Key: "client-grace", Default: "30s", Help: "time that a client may take beyond what client-rate allows",
		set: duration(func(c *Config) *time.Duration { return &c.ClientGrace })},
	{Key: "compression", Default: "remote", Help: "which clients get compressed replies if they take them: remote for those on other machines, all, none",
		set: text(func(c *Config) *string { return &c.Compression })},
	{Key: "query-memory", Default: "1GiB", Help: "memory that one query may hold",
		set: size(func(c *Config) *int64 { return &c.QueryMemory })},
	{Key: "total-memory", Default: "4GiB", Help: "memory that all running queries may hold together",
		set: size(func(c *Config) *int64 { return &c.TotalMemory })},
	{Key: "running-queries", Default: "0", Help: "queries that compute at once, small and large ones counted by themselves; 0 for four times the number of processors",
		set: integer(func(c *Config) *int { return &c.RunningQueries })},
	{Key: "waiting-queries", Default: "1024", Help: "queries that may wait for memory or for others, small and large ones counted by themselves, and an eighth of that for each user; what comes above is answered 503",
		set: integer(func(c *Config) *int { return &c.WaitingQueries })},
	{Key: "cache-memory", Default: "64MiB", Help: "memory for decoded schemas, footers and cells of immutable files, 0 to keep none",
		set: size(func(c *Config) *int64 { return &c.CacheMemory })},
	{Key: "read-life", Default: "1h", Help: "time after its last request that the snapshot of an incomplete read stays, which holds off vacuum",
		set: duration(func(c *Config) *time.Duration { return &c.ReadLife })},
	{Key: "password-hashers", Default: "2", Help: "password hashes computed at once, each takes 19 MiB",
		set: integer(func(c *Config) *int { return &c.PasswordHashers })},
	{Key: "demo", Default: "false", Help: "load the demonstration data at start",
		set: boolean(func(c *Config) *bool { return &c.Demo })},
	{Key: "compact", Default: "false", Help: "keep arrays and groups compact: merge fragments, commits, footers and metadata, and remove what was replaced",
		set: boolean(func(c *Config) *bool { return &c.Compact.On })},
	{Key: "compact-every", Default: "10m", Help: "time between two rounds over all arrays and groups",
		set: duration(func(c *Config) *time.Duration { return &c.Compact.Every })},
	{Key: "compact-grace", Default: "1h", Help: "time that replaced files stay, for readers that have begun with them",
		set: duration(func(c *Config) *time.Duration { return &c.Compact.Grace })},
	{Key: "compact-history", Default: "forever", Help: "how far back arrays must read as they did, forever or a time such as 720h; dense fragments and metadata are merged only when they are older",
		set: history(func(c *Config) *time.Duration { return &c.Compact.History })},
	{Key: "compact-fragments", Default: "32", Help: "fragments worth merging that an array may have, 0 for any number",
		set: integer(func(c *Config) *int { return &c.Compact.Fragments })},
	{Key: "compact-commits", Default: "64", Help: "files of commits that an array may have, 0 for any number",
		set: integer(func(c *Config) *int { return &c.Compact.Commits })},
	{Key: "compact-fragment-size", Default: "1GiB", Help: "size that merged fragments should have",
		set: size(func(c *Config) *int64 { return &c.Compact.FragmentSize })},
	{Key: "shutdown-grace", Default: "30s", Help: "time that running requests get to end after SIGTERM",
		set: duration(func(c *Config) *time.Duration { return &c.ShutdownGrace })},
	{Key: "log-level", Default: "info", Help: "debug, info, warn or error",
		set: text(func(c *Config) *string { return &c.LogLevel })},
}

// Settings returns the table of all settings in the order of documentation.
// The slice is the caller's.
func Settings() []Setting { return append([]Setting(nil), settings...) }
