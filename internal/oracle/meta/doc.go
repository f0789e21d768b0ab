// Package meta has tests only: unmodified clients use metadata, enumerations, evolution, fragment info, groups and deletion.
package meta
