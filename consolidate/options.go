package consolidate

import (
	"fmt"
	"math"
	"runtime"

	"azulejo/array"
	"azulejo/filter"
)

// Options are the settings of a consolidation. The zero value merges all fragments into one, as libtiledb's defaults do.
type Options struct {
	// Key is the key of an encrypted array or group.
	Key *filter.Key
	// At is the interval of time that the fragments or metadata files to merge must lie in; an empty one stands for
	// everything up to now (config sm.consolidation.timestamp_start and _end).
	At array.Interval
	// Names are the fragments to merge, by name or URI, whatever the settings below say; at least two.
	Names []string
	// Steps bounds the number of fragments made one after the other (sm.consolidation.steps); MinFragments and MaxFragments
	// the number that one of them replaces (step_min_frags, step_max_frags). 0 means no limit; without a limit below, a
	// step takes all fragments or as many as MaxFragments says, or none.
	Steps, MinFragments, MaxFragments uint32
	// SizeRatio is the least ratio of the sizes of neighbouring fragments that are merged, from 0 to 1
	// (sm.consolidation.step_size_ratio).
	SizeRatio float32
	// Amplification is the greatest ratio of the cells of a new dense fragment to those of the tiles of the fragments that
	// it replaces; 0 means 1 (sm.consolidation.amplification).
	Amplification float64
	// MaxFragmentSize bounds the bytes of the data files of a new fragment: when they do not suffice several are made, which
	// appear together; 0 means no bound (sm.consolidation.max_fragment_size).
	MaxFragmentSize uint64
	// Purge drops the cells that were deleted instead of noting when (sm.consolidation.purge_deleted_cells).
	Purge bool
	// Threads bounds the parallel work; 0 means the number of cores.
	Threads int
	// Memory is about how many bytes of dense cells are held at a time; 0 means 256 MiB. Of sparse fragments some tiles of
	// each are held, as many as overlap in the order of cells.
	Memory int64
}

// defaultMemory is the Memory of options that name none.
const defaultMemory = 256 << 20

// interval returns At, or everything up to now.
func (o *Options) interval() array.Interval {
	if o.At == (array.Interval{}) {
		return array.Latest()
	}
	return o.At
}

// settled returns the options with their defaults after checking them.
func (o Options) settled() (Options, error) {
	for _, limit := range []*uint32{&o.Steps, &o.MaxFragments} {
		if *limit == 0 {
			*limit = math.MaxUint32
		}
	}
	if o.MinFragments == 0 {
		o.MinFragments = o.MaxFragments
	}
	if o.Amplification == 0 {
		o.Amplification = 1
	}
	if o.Threads <= 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	if o.Memory <= 0 {
		o.Memory = defaultMemory
	}
	if o.MaxFragmentSize == 0 {
		o.MaxFragmentSize = math.MaxUint64
	}
	switch {
	case o.MinFragments > o.MaxFragments:
		return o, fmt.Errorf("%w: at least %d fragments a step, and at most %d", ErrInvalid, o.MinFragments, o.MaxFragments)
	case !(o.SizeRatio >= 0 && o.SizeRatio <= 1):
		return o, fmt.Errorf("%w: a size ratio of %v; it lies between 0 and 1", ErrInvalid, o.SizeRatio)
	case !(o.Amplification >= 0):
		return o, fmt.Errorf("%w: an amplification of %v", ErrInvalid, o.Amplification)
	}
	return o, nil
}
