//go:build amd64 && !purego

package unpack

import "golang.org/x/sys/cpu"

// hasRunner reports whether runSequences can be called: it uses BMI2 and AVX.
func hasRunner() bool { return cpu.X86.HasBMI2 && cpu.X86.HasAVX }

// runSequences runs sequences as unzstder.sequences does, up to one that lacks the room that seqRun asks for, needs more than
// 56 bits or is not valid. That one is left as it is.
//
//go:noescape
func runSequences(s *seqRun)
