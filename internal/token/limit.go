package token

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"azulejo/internal/activity"
)

// Limits on refused credentials within one minute (TOK-34).
const (
	failuresPerMinute  = 20  // per peer address, per token, per peer and user name
	passwordsPerMinute = 100 // wrong passwords per peer address, all names together
	window             = time.Minute
	limiterMax         = 8192 // keys held at once
)

// limiter counts failures by key in windows of a minute that begin with the
// first failure.
type limiter struct {
	mu     sync.Mutex // guards counts
	counts map[string]*count
}

type count struct {
	n     int
	until time.Time
}

func newLimiter() *limiter { return &limiter{counts: map[string]*count{}} }

// fail counts one failure under each key. over means that some key is beyond
// max; crossed that it went beyond with this very failure.
func (l *limiter) fail(now time.Time, max int, keys ...string) (over, crossed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range keys {
		c := l.counts[k]
		if c == nil || !now.Before(c.until) {
			if c == nil && !l.room(now) {
				continue
			}
			c = &count{until: now.Add(window)}
			l.counts[k] = c
		}
		c.n++
		over = over || c.n > max
		crossed = crossed || c.n == max+1
	}
	return over, crossed
}

// full reports whether the next failure under key would be beyond max.
func (l *limiter) full(now time.Time, max int, key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.counts[key]
	return c != nil && now.Before(c.until) && c.n >= max
}

// room makes place for one more key by dropping windows that are over.
func (l *limiter) room(now time.Time) bool {
	if len(l.counts) < limiterMax {
		return true
	}
	for k, c := range l.counts {
		if !now.Before(c.until) {
			delete(l.counts, k)
		}
	}
	return len(l.counts) < limiterMax
}

// network is what an address is counted under: itself, or for IPv6 the /64 that
// one host usually has to itself.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil || ip.Unmap().Is4() {
		return address
	}
	p, err := ip.WithZone("").Prefix(64)
	if err != nil {
		return address
	}
	return p.String()
}

func passwordKeys(name string, from activity.Origin) (one, all string) {
	all = "password " + network(from.Address)
	return all + " " + strings.ToLower(name), all
}

// PasswordAllowed is asked before a password is hashed: it returns
// ErrRateLimited after too many wrong ones from this peer.
func (t *Tokens) PasswordAllowed(name string, from activity.Origin) error {
	one, all := passwordKeys(name, from)
	now := t.clock()
	if t.limiter.full(now, failuresPerMinute, one) || t.limiter.full(now, passwordsPerMinute, all) {
		return fmt.Errorf("%w to log in from this address: wait a minute", ErrRateLimited)
	}
	return nil
}

// PasswordFailed counts a wrong password.
func (t *Tokens) PasswordFailed(name string, from activity.Origin) {
	one, all := passwordKeys(name, from)
	now := t.clock()
	t.limiter.fail(now, failuresPerMinute, one)
	t.limiter.fail(now, passwordsPerMinute, all)
	t.journal.noteOnce(now, activity.Entry{At: now, Event: activity.PasswordFailed, Origin: from})
}
