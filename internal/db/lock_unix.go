//go:build unix

package db

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// Lock makes this process the only server of a data directory by an advisory
// lock on the file path, which it creates. The lock ends with the process,
// however it ends, or with release. The error is of class ErrInUse while
// another process holds it. The command line tools do not take it: they may
// write beside a running server.
func Lock(path string) (release func() error, err error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrInUse
		}
		return nil, errors.Join(fmt.Errorf("lock: %w", err), file.Close())
	}
	return file.Close, nil
}
