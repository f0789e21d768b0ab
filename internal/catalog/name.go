package catalog

import (
	"fmt"
	"path"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	fileScheme = "file://"
	maxName    = 1024 // bytes
	maxPath    = 4096 // bytes
)

var (
	uuidForm   = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	schemeForm = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]*:/`)
)

// Ref is how a request names an asset; exactly one field is set.
type Ref struct {
	Name string
	ID   string // UUID, lower case
	Path string // absolute path taken from a storage URI, cleaned, links not resolved
}

// ParseRef reads the part of an address behind the namespace, already
// unescaped: a UUID, a storage URI (file:///… or an absolute path), or a name.
// Slashes at the end do not count. Error classes: ErrInvalid, and ErrUnsupported
// for storage this server cannot reach.
func ParseRef(text string) (Ref, error) {
	if !strings.HasPrefix(text, "/") && !schemeForm.MatchString(text) {
		text = strings.TrimRight(text, "/")
		if uuidForm.MatchString(text) {
			return Ref{ID: strings.ToLower(text)}, nil
		}
		return Ref{Name: text}, CheckName(text)
	}
	p, err := parseStorage(text)
	return Ref{Path: p}, err
}

// IsStorage reports whether a reference is a storage URI or absolute path
// rather than a name or UUID.
func IsStorage(text string) bool { return strings.HasPrefix(text, "/") || schemeForm.MatchString(text) }

// CheckName returns nil if name can be an asset's: 1 to 1024 bytes of printable
// text, parts separated by single slashes, no part "." or "..", no backslash,
// not a UUID and not a URI. The error is of class ErrInvalid.
func CheckName(name string) error {
	switch {
	case name == "" || len(name) > maxName:
		return fmt.Errorf("%w: a name has 1 to %d bytes", ErrInvalid, maxName)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("%w: a name is made of printable characters", ErrInvalid)
	case strings.Contains(name, `\`):
		return fmt.Errorf("%w: a name has no backslash", ErrInvalid)
	case schemeForm.MatchString(name):
		return fmt.Errorf("%w: a name is not a URI", ErrInvalid)
	case uuidForm.MatchString(name):
		return fmt.Errorf("%w: a name is not a UUID", ErrInvalid)
	case strings.TrimSpace(name) != name:
		return fmt.Errorf("%w: a name neither begins nor ends with a blank", ErrInvalid)
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." {
			return fmt.Errorf("%w: a name has no empty part and no part \".\" or \"..\"", ErrInvalid)
		}
	}
	return nil
}

// unsupported are schemes that clients use and that other storage backends will
// serve.
var unsupported = map[string]bool{"s3": true, "gs": true, "gcs": true, "azure": true, "hdfs": true, "http": true, "https": true, "mem": true}

// ourDirs are the names TileDB gives to its own files inside an array or group;
// nothing can be stored below one.
var ourDirs = map[string]bool{"__fragments": true, "__commits": true, "__schema": true, "__meta": true, "__fragment_meta": true,
	"__labels": true, "__enumerations": true, "__group": true, "__tiledb_group.tdb": true, "__array_schema.tdb": true}

// parseStorage returns the absolute path of a storage URI, "file:///abs/path" or
// "/abs/path"; "file:/abs/path" is what clients make of the former in keys of
// files. As in TileDB nothing in it is percent-decoded.
func parseStorage(uri string) (string, error) {
	p := uri
	if strings.HasPrefix(uri, "file:/") && !strings.HasPrefix(uri, fileScheme) {
		uri = uri[len("file:"):]
		p = uri
	}
	if scheme, rest, ok := strings.Cut(uri, "://"); ok && !strings.HasPrefix(uri, "/") {
		switch scheme = strings.ToLower(scheme); {
		case unsupported[scheme]:
			return "", fmt.Errorf("%s:// %w: use file:/// or leave the storage to the server", scheme, ErrUnsupported)
		case scheme != "file":
			return "", fmt.Errorf("%w: %q is no storage scheme; use file:///", ErrInvalid, scheme)
		}
		p = rest
	}
	switch {
	case len(p) > maxPath:
		return "", fmt.Errorf("%w: a storage path has at most %d bytes", ErrInvalid, maxPath)
	case !strings.HasPrefix(p, "/"):
		return "", fmt.Errorf("%w: a storage path is absolute: file:///directory/name", ErrInvalid)
	case !utf8.ValidString(p) || strings.ContainsFunc(p, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "", fmt.Errorf("%w: a storage path is made of printable characters", ErrInvalid)
	}
	for part := range strings.SplitSeq(p, "/") {
		if part == "." || part == ".." || ourDirs[part] {
			return "", fmt.Errorf("%w: a storage path has no part %q", ErrInvalid, part)
		}
	}
	if p = path.Clean(p); p == "/" {
		return "", fmt.Errorf("%w: the root directory is no storage path", ErrInvalid)
	}
	return p, nil
}
