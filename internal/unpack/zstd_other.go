//go:build !amd64 || purego

package unpack

// hasRunner reports that there is no other way to run sequences than unzstder.sequences.
func hasRunner() bool { return false }

// runSequences runs no sequence.
func runSequences(*seqRun) {}
