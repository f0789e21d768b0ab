package format

import (
	"fmt"
	"strings"
)

// Vacuum files (.vac, format_spec/vacuum_file.md) and ignore files (.ign, format_spec/ignore_file.md) are plain text, one
// path a line, each line ended by a new line:
//
//	.vac in __commits:  /__fragments/__t1_t2_uuid_22     (since version 19; absolute before)
//	.vac in __meta:     /__meta/__t1_t2_uuid
//	.ign in __commits:  __commits/__t1_t2_uuid_22.wrt

// EncodeLines returns the content of a .vac or .ign file: each path followed by a new line. A path that holds a new line
// is refused.
func EncodeLines(paths []string) ([]byte, error) {
	var b []byte
	for i, p := range paths {
		if p == "" || strings.ContainsRune(p, '\n') {
			return nil, &Error{Offset: int64(i), Field: "lines", Err: badPath(p)}
		}
		b = append(append(b, p...), '\n')
	}
	return b, nil
}

// DecodeLines decodes the content of a .vac or .ign file into the paths as written; before version 19 those of vacuum
// files are absolute. A last line without its new line is damage, the file was cut.
func DecodeLines(file []byte) ([]string, error) {
	if len(file) == 0 {
		return nil, nil
	}
	if file[len(file)-1] != '\n' {
		return nil, corrupt("lines", int64(len(file)), 0, "the last line has no end")
	}
	lines := strings.Split(string(file[:len(file)-1]), "\n")
	off := 0
	for _, l := range lines {
		if l == "" {
			return nil, corrupt("lines", int64(off), 0, "empty line")
		}
		off += len(l) + 1
	}
	return lines, nil
}

// DecodePaths returns the lines of a vacuum or ignore file, whose last parts are timestamped names with or without an
// extension. Old ones are absolute URIs.
func DecodePaths(file []byte) ([]string, error) {
	lines, err := DecodeLines(file)
	off := 0
	for _, l := range lines {
		if err := checkNamed(l); err != nil {
			return nil, &Error{Offset: int64(off), Field: "lines", Err: err}
		}
		off += len(l) + 1
	}
	return lines, err
}

// checkNamed reports whether the last part of a path is a timestamped name, with or without an extension.
func checkNamed(p string) error {
	base := strings.TrimRight(p, "/")
	base = base[strings.LastIndexByte(base, '/')+1:]
	name, _, _ := strings.Cut(base, ".")
	_, err := ParseName(name)
	return err
}

// badPath is the cause of an error about a path that a list of paths cannot hold.
func badPath(p string) error { return fmt.Errorf("%w: path %q", ErrCorrupt, p) }
