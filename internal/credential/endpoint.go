package credential

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// CheckEndpoint returns nil for an endpoint that users may set: an address of http or https without user, path and query, whose
// host is neither this machine nor in a network that only this machine's neighbours reach, unless the operator allows the host.
// A name can resolve to anything, and to something else tomorrow: whoever dials it checks what it dials. The error is of class
// ErrInvalid.
func CheckEndpoint(text string, allowed []string) error {
	if text == "" {
		return nil
	}
	full := text
	if !strings.Contains(full, "://") {
		full = "https://" + full
	}
	u, err := url.Parse(full)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" ||
		strings.Trim(u.Path, "/") != "" || len(text) > 512 {
		return fmt.Errorf("%w: an endpoint is a host, with http:// or https:// in front and a port behind if need be", ErrInvalid)
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if slices.ContainsFunc(allowed, func(h string) bool { return strings.EqualFold(h, host) || strings.EqualFold(h, u.Host) }) {
		return nil
	}
	if !PublicHost(host) {
		return fmt.Errorf("%w: the endpoint is not in public networks; the operator can allow it by the setting allow-endpoint", ErrInvalid)
	}
	return nil
}

// PublicHost reports whether a host can be outside of this machine and its private networks, as far as its text tells: it is a
// public address, or a name with a dot that is not reserved for local use.
func PublicHost(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return PublicAddress(a)
	}
	if !strings.Contains(host, ".") {
		return false
	}
	for _, suffix := range []string{".localhost", ".local", ".internal", ".localdomain", ".home.arpa", ".intranet", ".lan", ".svc"} {
		if strings.HasSuffix(host, suffix) {
			return false
		}
	}
	// Resolvers take "127.1" and "0x7f.1" for addresses.
	last := host[strings.LastIndexByte(host, '.')+1:]
	return last != "" && strings.IndexFunc(last[:1], func(r rune) bool { return r >= '0' && r <= '9' }) < 0
}

// PublicAddress reports whether an address is neither this machine's, nor of its link, nor private, nor reserved.
func PublicAddress(a netip.Addr) bool {
	a = a.Unmap()
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.Zone() != "" {
		return false
	}
	for _, p := range []string{"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "198.18.0.0/15", "240.0.0.0/4", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "fec0::/10"} {
		if netip.MustParsePrefix(p).Contains(a) {
			return false
		}
	}
	return true
}
