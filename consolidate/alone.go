package consolidate

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"azulejo/array"
	"azulejo/vfs"
)

// ErrBusy is wrapped by the error of merging fragments that another consolidation replaces or has replaced meanwhile.
// Nothing was changed; to be tried again later, or after Release when the other one is dead.
var ErrBusy = errors.New("another consolidation is at work")

// alone makes sure that the fragments chosen are replaced by nobody else. Of arrays that allow duplicates two merged
// fragments of the same cells would both count, so whoever sees the announcement of another gives way, until that is
// settled or so old that it is dropped. Elsewhere two such fragments say the same and cost only work, and nobody waits.
//
// It is asked after announcing: of two at the same time at least one sees the other. Announcements are listed before
// vacuum files, because an announcement goes after its vacuum file has come.
func (j *job) alone(ctx context.Context) error {
	if !j.a.Schema.AllowsDups {
		return nil
	}
	list, err := array.ListCommits(ctx, j.a.FS, j.a.URI)
	if err != nil {
		return err
	}
	chosen := j.chosenNames()
	for _, p := range list.Pending {
		if j.isOurs(p.Fragment) {
			continue
		}
		for _, h := range p.Hidden {
			if chosen[vfs.Base(h)] {
				return fmt.Errorf("consolidate %s: fragment %s: %w, announced by %s since %s; if its process is dead, `azulejo array release` gives it up",
					j.a.URI, vfs.Base(h), ErrBusy, p.Path, p.Since.UTC().Format(time.RFC3339))
			}
		}
	}
	return j.unreplaced(ctx)
}

// unreplaced makes sure that all fragments chosen still count and that nobody took this consolidation for dead.
func (j *job) unreplaced(ctx context.Context) error {
	list, err := array.ListCommits(ctx, j.a.FS, j.a.URI)
	if err != nil {
		return err
	}
	replaced := map[string]bool{}
	for _, v := range list.Vacuums {
		for _, name := range v.Fragments {
			replaced[name] = true
		}
	}
	announced := 0
	for _, p := range list.Pending {
		if j.isOurs(p.Fragment) {
			announced++
		} else if list.IsCommitted(fragmentsFolder + "/" + p.Fragment) {
			for _, h := range p.Hidden {
				replaced[vfs.Base(h)] = true
			}
		}
	}
	if announced != len(j.announced) {
		return fmt.Errorf("consolidate %s: %w and removed what this one had begun", j.a.URI, ErrBusy)
	}
	for _, info := range j.chosen {
		if replaced[info.Name] || !list.IsCommitted(info.Path) && info.Version >= okVersion {
			return fmt.Errorf("consolidate %s: fragment %s was replaced meanwhile: %w", j.a.URI, info.Name, ErrBusy)
		}
	}
	return nil
}

// okVersion is the first format version whose fragments have a commit file; older ones count by their metadata file.
const okVersion = 5

// isOurs reports whether this job announced a fragment.
func (j *job) isOurs(name string) bool {
	for _, p := range j.announced {
		if p.Fragment == name {
			return true
		}
	}
	return false
}

// chosenNames returns the names of the fragments to merge.
func (j *job) chosenNames() map[string]bool {
	names := map[string]bool{}
	for _, info := range j.chosen {
		names[path.Base(info.Path)] = true
	}
	return names
}
