package config

import (
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Validate reports every fault of c at once, joined in one error of class
// ErrInvalid, or nil. It looks at no file: what a setting names is checked by
// whoever opens it.
func (c Config) Validate() error {
	var faults []error
	wrong := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...))
		}
	}
	wrong(c.Data != "", "data: name a directory")
	wrong(c.Database == "" || strings.HasPrefix(c.Database, "postgres://") || strings.HasPrefix(c.Database, "postgresql://"),
		"database: not a URL of the form postgres://user:password@host:port/database")
	c.validateListen(wrong)
	c.validateMail(wrong)
	hook, err := url.Parse(c.Audit.Webhook)
	wrong(c.Audit.Webhook == "" || err == nil && (hook.Scheme == "https" || hook.Scheme == "http") && hook.Host != "" && hook.User == nil,
		"audit-webhook: not a URL of the form https://host/path")
	wrong(c.Audit.Retention >= 0, "activity-retention: %v is negative", c.Audit.Retention)
	c.validateRegions(wrong)
	for _, p := range c.AllowPaths {
		wrong(p != "", "allow-path: name a directory")
		wrong(filepath.Clean(p) != "/", "allow-path: %q would allow the whole machine", p)
	}
	for key, d := range map[string]time.Duration{"token-life": c.TokenLife, "session-life": c.SessionLife,
		"remember-life": c.RememberLife, "read-life": c.ReadLife} {
		wrong(d >= time.Second, "%s: %v is under a second", key, d)
	}
	wrong(c.MaxTokenLife == 0 || c.MaxTokenLife >= time.Second, "max-token-life: %v is neither 0 nor over a second", c.MaxTokenLife)
	wrong(c.ShutdownGrace >= 0, "shutdown-grace: %v is negative", c.ShutdownGrace)
	for key, n := range map[string]int64{"max-json-body": c.MaxJSONBody, "max-message-body": c.MaxMessageBody,
		"query-memory": c.QueryMemory, "total-memory": c.TotalMemory} {
		wrong(n >= mebibyte, "%s: %d bytes is under 1 MiB", key, n)
	}
	wrong(c.Compact.Every >= time.Second, "compact-every: %v is under a second", c.Compact.Every)
	wrong(c.Compact.Grace >= 0, "compact-grace: %v is negative", c.Compact.Grace)
	wrong(c.Compact.Fragments >= 0 && c.Compact.Commits >= 0, "compact-fragments, compact-commits: a negative number")
	wrong(c.Compact.FragmentSize >= mebibyte, "compact-fragment-size: %d bytes is under 1 MiB", c.Compact.FragmentSize)
	wrong(c.QueryMemory <= c.TotalMemory, "query-memory: %d bytes is over total-memory, %d bytes", c.QueryMemory, c.TotalMemory)
	wrong(c.RunningQueries >= 0, "running-queries: %d is negative", c.RunningQueries)
	wrong(c.WaitingQueries >= 1, "waiting-queries: %d is under 1", c.WaitingQueries)
	wrong(c.ClientGrace >= time.Second, "client-grace: %v is under a second", c.ClientGrace)
	wrong(slices.Contains([]string{"remote", "all", "none"}, c.Compression), "compression: %q is none of remote, all, none", c.Compression)
	wrong(c.PasswordHashers >= 1 && c.PasswordHashers <= 64, "password-hashers: %d is not between 1 and 64", c.PasswordHashers)
	wrong(slices.Contains([]string{"invite", "approval", "open"}, c.SignUp), "sign-up: %q is none of invite, approval, open", c.SignUp)
	wrong(slices.Contains([]string{"debug", "info", "warn", "error"}, c.LogLevel),
		"log-level: %q is none of debug, info, warn, error", c.LogLevel)
	slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(faults...)
}

func (c Config) validateListen(wrong func(bool, string, ...any)) {
	wrong((c.TLSCert == "") == (c.TLSKey == ""), "tls-cert, tls-key: both or neither must be given")
	i := strings.LastIndexByte(c.Listen, ':')
	if i < 0 {
		wrong(false, "listen: %q is not of the form host:port", c.Listen)
		return
	}
	port, err := strconv.ParseUint(c.Listen[i+1:], 10, 16)
	wrong(err == nil, "listen: %q has no port between 0 and 65535", c.Listen)
	wrong(err != nil || c.TLS() || c.InsecureHTTP || c.loopback(c.Listen[:i]),
		"listen: %s:%d can be reached by other machines and would carry secrets in the clear; "+
			"give --tls-cert and --tls-key, or --insecure-http if something in front does TLS", c.Listen[:i], port)
}

// validateMail checks what mails need: who sends them, and where their links lead, which no request may say.
func (c Config) validateMail(wrong func(bool, string, ...any)) {
	u, err := url.Parse(c.PublicURL)
	wrong(c.PublicURL == "" || err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.RawQuery == "" && u.Fragment == "" && u.User == nil,
		"public-url: %q is no address such as https://arrays.example.org", c.PublicURL)
	wrong(!strings.HasSuffix(c.PublicURL, "/"), "public-url: %q ends in a slash", c.PublicURL)
	wrong(slices.Contains([]string{"starttls", "implicit", "none"}, c.Mail.Security), "mail-security: %q is none of starttls, implicit, none", c.Mail.Security)
	if c.Mail.Server == "" {
		return
	}
	_, port, err := net.SplitHostPort(c.Mail.Server)
	wrong(err == nil && port != "", "mail-server: %q is not of the form host:port", c.Mail.Server)
	_, err = mail.ParseAddress(c.Mail.From)
	wrong(err == nil, "mail-from: %q is no mail address; name the sender", c.Mail.From)
	wrong(c.PublicURL != "", "public-url: name the address of the server for the links in mails")
	wrong((c.Mail.User == "") == (c.Mail.Password == ""), "mail-user, mail-password: both or neither must be given")
}

// validateRegions checks that each region has one address, and this server's is among them.
func (c Config) validateRegions(wrong func(bool, string, ...any)) {
	peers := c.Regions.Servers()
	wrong(len(peers) == len(c.Regions.Peers), "region-server: a region comes twice, or an entry is not of the form NAME=URL")
	for name, address := range peers {
		u, err := url.Parse(address)
		wrong(name != "" && err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil && strings.Trim(u.Path, "/") == "" &&
			u.RawQuery == "" && u.Fragment == "", "region-server: %q is not of the form NAME=URL, such as eu=https://eu.example.org", name+"="+address)
	}
	wrong(len(peers) == 0 || c.Regions.Own != "", "region: name the region whose storage this server has, as region-server is given")
}

// TLS reports whether the server speaks TLS itself.
func (c Config) TLS() bool { return c.TLSCert != "" && c.TLSKey != "" }

// loopback reports whether host can only be reached from this machine. A name
// other than localhost counts as reachable: what it resolves to may change.
func (Config) loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	return err == nil && addr.IsLoopback()
}
