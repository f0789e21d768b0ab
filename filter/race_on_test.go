//go:build race

package filter_test

// raceEnabled tells that sync.Pool drops loans at random, as it does under the race detector.
const raceEnabled = true
