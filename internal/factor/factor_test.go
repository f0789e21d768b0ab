package factor

import "testing"

// TestCode holds the vectors of RFC 6238, appendix B, for SHA-1, of which the last six digits are ours.
func TestCode(t *testing.T) {
	for at, want := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130"} {
		if got := Code([]byte("12345678901234567890"), at/step); got != want {
			t.Errorf("at %d: %s, want %s", at, got, want)
		}
	}
}
