//go:build unix

package db

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// Lock makes this process a server of a data directory by an advisory lock on
// the file path, which it creates: the only one, or with shared, for servers on
// one PostgreSQL database, one of several. The lock ends with the process,
// however it ends, or with release. The error is of class ErrInUse while
// another process holds it that does not share it. The command line tools do
// not take it: they may write beside a running server.
func Lock(path string, shared bool) (release func() error, err error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	how := syscall.LOCK_EX
	if shared {
		how = syscall.LOCK_SH
	}
	if err := syscall.Flock(int(file.Fd()), how|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrInUse
		}
		return nil, errors.Join(fmt.Errorf("lock: %w", err), file.Close())
	}
	return file.Close, nil
}
