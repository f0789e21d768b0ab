// Package meta has tests only: unmodified clients use metadata, enumerations, evolution, fragment info, groups, deletion, tokens and the
// catalogue.
package meta
