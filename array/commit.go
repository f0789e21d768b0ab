package array

import (
	"context"
	"errors"
	"fmt"

	"azulejo/format"
	"azulejo/vfs"
)

// commitURI returns the URI of a fragment's commit file. Fragments are written in a version that keeps commits in their
// own folder.
func commitURI(uri, fragmentName string) (string, error) {
	n, err := format.ParseName(fragmentName)
	if err != nil || n.Version < commitFolderVersion {
		return "", &Error{"commit", uri, fmt.Errorf("%w: fragment name %q", ErrInvalid, fragmentName)}
	}
	return vfs.Join(uri, commitsDir, fragmentName+writeExt), nil
}

// Commit makes a complete fragment part of the array by writing its commit file (format_spec/timestamped_name.md). All
// files of the fragment must be durable. Committing twice is an error wrapping ErrExists.
func Commit(ctx context.Context, fs vfs.FS, uri, fragmentName string) error {
	file, err := commitURI(uri, fragmentName)
	if err != nil {
		return err
	}
	if err := vfs.WriteAll(ctx, fs, file, nil); err != nil {
		if errors.Is(err, vfs.ErrExist) {
			return &classed{ErrExists, err}
		}
		return err
	}
	return nil
}

// Committed reports whether the fragment has a commit file of its own.
func Committed(ctx context.Context, fs vfs.FS, uri, fragmentName string) (bool, error) {
	file, err := commitURI(uri, fragmentName)
	if err != nil {
		return false, err
	}
	_, err = vfs.Size(ctx, fs, file)
	if errors.Is(err, vfs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// CommitTogether makes complete fragments part of the array at one moment: several are committed by one consolidated
// commits file (format_spec/consolidated_commits_file.md), which lists the commits that they have not got. All files of
// the fragments must be durable. The error wraps ErrInvalid for a name that is none, or is the storage's.
func CommitTogether(ctx context.Context, fs vfs.FS, uri string, fragmentNames []string) error {
	if len(fragmentNames) == 0 {
		return nil
	}
	if len(fragmentNames) == 1 {
		return Commit(ctx, fs, uri, fragmentNames[0])
	}
	start, end := ^uint64(0), uint64(0)
	var commits []format.ConsolidatedCommit
	for _, name := range fragmentNames {
		n, err := format.ParseName(name)
		if err != nil || n.Version < commitFolderVersion {
			return &Error{"commit", uri, fmt.Errorf("%w: fragment name %q", ErrInvalid, name)}
		}
		start, end = min(start, n.Start), max(end, n.End)
		commits = append(commits, format.ConsolidatedCommit{Path: commitsDir + "/" + name + writeExt})
	}
	content, err := format.EncodeConsolidatedCommits(commits)
	if err != nil {
		return &Error{"commit", uri, err}
	}
	return vfs.WriteAll(ctx, fs, vfs.Join(uri, commitsDir, format.NewName(start, end, format.Version).String()+consolidatedExt), content)
}
