//go:build !amd64 || purego

package filter

// Elsewhere the Go loops do all the work.

func unshuffleFast([]byte, []byte, int, int) int { return 0 }

func shuffleFast([]byte, []byte, int, int) int { return 0 }

func unshuffleBitsFast([]byte, []byte, int) bool { return false }

func shuffleBitsFast([]byte, []byte, int) bool { return false }

func unpackFast[T integer]([]T, []byte, int) int { return 0 }
