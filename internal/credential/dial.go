package credential

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"
)

// errPrivate says that an address must not be dialed on behalf of others.
var errPrivate = fmt.Errorf("%w: the address is not in public networks; the operator can allow the host by the setting allow-endpoint", ErrInvalid)

// Dialer returns what dials hosts that users or settings name. Each address is checked when it is dialed, after names were
// resolved, so a name that resolves to something else tomorrow, or between two look-ups, leads nowhere. Hosts that the operator
// allows, as host or host:port, are dialed wherever they are. The error wraps ErrInvalid.
func Dialer(allowed []string) func(ctx context.Context, network, address string) (net.Conn, error) {
	checked := &net.Dialer{Timeout: 10 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || !PublicAddress(at.Addr()) {
			return errPrivate
		}
		return nil
	}}
	free := &net.Dialer{Timeout: 10 * time.Second}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(allowed, func(h string) bool { return strings.EqualFold(h, host) || strings.EqualFold(h, address) }) {
			return free.DialContext(ctx, network, address)
		}
		return checked.DialContext(ctx, network, address)
	}
}

// Transport returns a transport that dials by Dialer and heeds no proxy, which would dial for it.
func Transport(allowed []string) *http.Transport {
	return &http.Transport{DialContext: Dialer(allowed), ForceAttemptHTTP2: true, MaxIdleConns: 16, IdleConnTimeout: time.Minute,
		TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 30 * time.Second}
}

// Client returns a client over Transport that follows no redirects: they lead where nobody has looked.
func Client(allowed []string) *http.Client {
	return &http.Client{Transport: Transport(allowed), Timeout: time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}
