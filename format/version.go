package format

// Version is the format version that this package writes.
const Version uint32 = 22

// MaxVersion is the newest format version that this package reads.
const MaxVersion uint32 = 23
