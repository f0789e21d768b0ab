package bucket

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"time"

	"azulejo/vfs"
)

// ErrChanged is wrapped by the error of reading a file that was replaced or removed since it was opened.
var ErrChanged = errors.New("changed since it was opened")

// Fault is what a store answered instead of doing what it was asked.
type Fault struct {
	// Status is the HTTP status, 0 when there was no reply. Code is the store's name for the fault.
	Status int
	Code   string
	// Class is vfs.ErrNotExist, vfs.ErrExist, ErrChanged or nil.
	Class error
	// Retry says that the same request may succeed later; After is how long the store asks to wait first.
	Retry bool
	After time.Duration
	Err   error
}

// Error tells class or status and code, and the cause.
func (f *Fault) Error() string {
	switch {
	case f.Class != nil:
		return f.Class.Error()
	case f.Status == 0:
		return f.Err.Error()
	case f.Status == 401, f.Status == 403:
		return fmt.Sprintf("refused by the store, check the credentials and their rights: %d %s: %v", f.Status, f.Code, f.Err)
	default:
		return fmt.Sprintf("%d %s: %v", f.Status, f.Code, f.Err)
	}
}

// Unwrap returns class and cause.
func (f *Fault) Unwrap() []error {
	if f.Class == nil {
		return []error{f.Err}
	}
	return []error{f.Class, f.Err}
}

// Answered returns the fault for a reply with an error status, which is a retry for those that mean "not now".
func Answered(status int, code string, err error) *Fault {
	f := &Fault{Status: status, Code: code, Err: err}
	switch status {
	case 404:
		f.Class = vfs.ErrNotExist
	case 408, 425, 429, 500, 502, 503, 504:
		f.Retry = true
	}
	return f
}

// Unanswered returns the fault for a request that got no whole reply, which is a retry unless it cannot get better.
func Unanswered(err error) *Fault {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // without the address, which has the signature in it where that is the credential
	}
	f := &Fault{Err: err, Retry: true}
	var (
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
		host    x509.HostnameError
		verify  *tls.CertificateVerificationError
		dns     *net.DNSError
	)
	switch {
	case errors.As(err, &unknown), errors.As(err, &invalid), errors.As(err, &host), errors.As(err, &verify):
		f.Retry = false
	case errors.As(err, &dns) && dns.IsNotFound:
		f.Retry = false
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		// The caller's context, which retries look at, or a time limit of the connection's own.
	case errors.Is(err, io.EOF):
		f.Err = io.ErrUnexpectedEOF
	}
	return f
}

// Retry bounds the repetition of failed requests: those that the store throttled or failed to do by a fault of its own,
// and those that got no reply. Before each the waiting time is drawn evenly from 0 to a limit that doubles.
type Retry struct {
	// Attempts is how often a request is made at most; 0 means 8.
	Attempts int
	// First and Longest are the limits of the first waiting time and of all; 0 mean 100 ms and 10 s.
	First, Longest time.Duration
	// Sleep waits, or returns the context's error; nil means real time.
	Sleep func(ctx context.Context, d time.Duration) error
}

func (r Retry) attempts() int {
	if r.Attempts > 0 {
		return r.Attempts
	}
	return 8
}

// pause is how long to wait before attempt n, counted from 1.
func (r Retry) pause(n int, after time.Duration) time.Duration {
	first, longest := r.First, r.Longest
	if first <= 0 {
		first = 100 * time.Millisecond
	}
	if longest <= 0 {
		longest = 10 * time.Second
	}
	limit := first << min(n-1, 20)
	if limit > longest || limit <= 0 {
		limit = longest
	}
	return max(time.Duration(rand.Int64N(int64(limit)+1)), min(after, longest))
}

func (r Retry) sleep(ctx context.Context, d time.Duration) error {
	if r.Sleep != nil {
		return r.Sleep(ctx, d)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// Do makes a request until it succeeds, fails for good, or the attempts or the time of the context are used up. The
// function is told how many attempts came before.
func (r Retry) Do(ctx context.Context, request func(before int) error) error {
	for n := 1; ; n++ {
		err := request(n - 1)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		f, ok := errors.AsType[*Fault](err)
		if !ok || !f.Retry {
			return err
		}
		if n >= r.attempts() {
			return fmt.Errorf("%w (after %d attempts)", err, n)
		}
		if err := r.sleep(ctx, r.pause(n, f.After)); err != nil {
			return fmt.Errorf("%w, waiting to repeat a request that failed: %v", err, f)
		}
	}
}
