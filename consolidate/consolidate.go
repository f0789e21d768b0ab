// Package consolidate keeps arrays and groups compact: it merges fragments into one, commits into one file, fragment
// footers into one file, metadata files into one, and removes what was merged (format_spec/vacuum_file.md,
// format_spec/consolidated_commits_file.md).
//
// Consolidation adds files and hides what they replace; readers in flight notice nothing. Vacuum removes what is hidden:
// snapshots opened before lose their files. Whatever breaks, and wherever, an array reads as before the call or as after
// it. Of two consolidations of the same fragments at once one may give way (ErrBusy), or both do all the work.
package consolidate

import (
	"context"
	"errors"
	"fmt"

	"azulejo/vfs"
)

// ErrInvalid is wrapped by the error for settings that do not fit each other or the array.
var ErrInvalid = errors.New("invalid consolidation")

// Mode says what is consolidated or vacuumed (config sm.consolidation.mode, sm.vacuum.mode).
type Mode uint8

// The modes.
const (
	// ModeFragments merges fragments.
	ModeFragments Mode = iota
	// ModeCommits merges commit files.
	ModeCommits
	// ModeFragmentMeta merges the footers of fragments.
	ModeFragmentMeta
	// ModeArrayMeta merges metadata files of an array.
	ModeArrayMeta
	// ModeGroupMeta merges metadata files of a group.
	ModeGroupMeta
)

var modes = [...]struct {
	name   string
	run    func(ctx context.Context, fs vfs.FS, uri string, o Options) error
	vacuum func(ctx context.Context, fs vfs.FS, uri string, due dueFunc) error
}{
	ModeFragments:    {"fragments", fragmentsOnly, vacuumFragments},
	ModeCommits:      {"commits", Commits, vacuumCommits},
	ModeFragmentMeta: {"fragment_meta", FragmentMeta, vacuumFragmentMeta},
	ModeArrayMeta:    {"array_meta", ArrayMeta, vacuumArrayMeta},
	ModeGroupMeta:    {"group_meta", GroupMeta, vacuumGroupMeta},
}

// fragmentsOnly is Fragments for those who do not ask for the names.
func fragmentsOnly(ctx context.Context, fs vfs.FS, uri string, o Options) error {
	_, err := Fragments(ctx, fs, uri, o)
	return err
}

// String returns the name that libtiledb's settings have for the mode.
func (m Mode) String() string {
	if int(m) < len(modes) {
		return modes[m].name
	}
	return fmt.Sprintf("mode %d", uint8(m))
}

// ParseMode returns the mode of a name such as "fragment_meta". The error wraps ErrInvalid.
func ParseMode(name string) (Mode, error) {
	var names []string
	for m := range modes {
		if modes[m].name == name {
			return Mode(m), nil
		}
		names = append(names, modes[m].name)
	}
	return 0, fmt.Errorf("%w: no mode %q; modes are %v", ErrInvalid, name, names)
}

// Run consolidates the array or group at a URI in one mode; o matters to fragments and, with its interval, to metadata.
func Run(ctx context.Context, fs vfs.FS, uri string, m Mode, o Options) error {
	if int(m) >= len(modes) {
		return fmt.Errorf("%w: %v", ErrInvalid, m)
	}
	return modes[m].run(ctx, fs, uri, o)
}

// Vacuum removes from the array or group at a URI what consolidation in one mode replaced. Snapshots that were opened
// before may lose files. Doing it again after it broke off finishes it.
func Vacuum(ctx context.Context, fs vfs.FS, uri string, m Mode) error {
	return vacuum(ctx, fs, vfs.Trim(uri), m, func(string) bool { return true })
}

// vacuum is Vacuum of what is due.
func vacuum(ctx context.Context, fs vfs.FS, uri string, m Mode, due dueFunc) error {
	if int(m) >= len(modes) {
		return fmt.Errorf("%w: %v", ErrInvalid, m)
	}
	return modes[m].vacuum(ctx, fs, uri, due)
}
