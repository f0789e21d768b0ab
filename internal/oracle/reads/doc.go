// Package reads has tests only: unmodified clients read by condition, by aggregate, in every order, in parts and back in time.
package reads
