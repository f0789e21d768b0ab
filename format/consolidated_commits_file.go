package format

import (
	"bytes"
	"strings"

	"azulejo/internal/bin"
)

// A consolidated commits file, __commits/__t1_t2_uuid_22.con (format_spec/consolidated_commits_file.md), is not a generic
// tile but commits back to back. It is not text: conditions may hold new lines.
//
//	fragment:  path ending in .wrt or .ok | new line
//	deletion:  path ending in .del or .upd | new line | u64+content of that file
//
// Paths are relative to the array, "__commits/__t1_t2_uuid_22.wrt", without a leading slash.

// ConsolidatedCommit is one commit listed in a .con file.
type ConsolidatedCommit struct {
	// Path is relative to the array, such as "__commits/__t1_t2_uuid_22.wrt"; its extension tells the kind.
	Path string
	// Condition is the content of the .del or .upd file; nil for fragments. It shares the input's memory.
	Condition []byte
}

// HasCondition reports whether commits of this path carry a condition: deletions and updates.
func HasCondition(path string) bool {
	return strings.HasSuffix(path, ".del") || strings.HasSuffix(path, ".upd")
}

// isFragmentCommit reports whether a path commits a fragment.
func isFragmentCommit(path string) bool {
	return strings.HasSuffix(path, ".wrt") || strings.HasSuffix(path, ".ok")
}

// EncodeConsolidatedCommits returns the content of a .con file (format_spec/consolidated_commits_file.md). The error
// wraps ErrUnsupported for a path that cannot be stored.
func EncodeConsolidatedCommits(commits []ConsolidatedCommit) ([]byte, error) {
	w := &bin.Writer{}
	for i, c := range commits {
		if !HasCondition(c.Path) && !isFragmentCommit(c.Path) || strings.ContainsRune(c.Path, '\n') {
			return nil, &Error{Offset: int64(i), Field: "consolidated commits/path", Err: badPath(c.Path)}
		}
		w.Bytes([]byte(c.Path))
		w.U8('\n')
		if HasCondition(c.Path) {
			w.U64(uint64(len(c.Condition)))
			w.Bytes(c.Condition)
		}
	}
	return w.B, nil
}

// DecodeConsolidatedCommits decodes the content of a .con file.
func DecodeConsolidatedCommits(file []byte) ([]ConsolidatedCommit, error) {
	r := bin.NewReader(file)
	var commits []ConsolidatedCommit
	for r.Err() == nil && r.Len() > 0 {
		n := bytes.IndexByte(file[r.Offset():], '\n')
		if n < 0 {
			r.Failf("path", "%w: no new line", ErrCorrupt)
			break
		}
		c := ConsolidatedCommit{Path: string(r.Bytes("path", uint64(n)))}
		r.U8("new line")
		if err := checkNamed(c.Path); err != nil {
			r.Fail("path", err)
		}
		switch {
		case HasCondition(c.Path):
			c.Condition = r.Bytes("condition", r.U64("condition size"))
		case !isFragmentCommit(c.Path):
			r.Fail("path", badPath(c.Path))
		}
		commits = append(commits, c)
	}
	if err := readErr(r, "consolidated commits", 0); err != nil {
		return nil, err
	}
	return commits, nil
}
