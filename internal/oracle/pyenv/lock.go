package pyenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Cache returns the directory that test packages share on this machine, made if it is not there.
func Cache() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("cache directory of the tests: %w", err)
	}
	dir := filepath.Join(base, "azulejo", "oracle")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("cache directory of the tests: %w", err)
	}
	return dir, nil
}

// Locked runs work while this process alone holds the named lock of the shared cache. Waiting ends with ctx. The
// operating system drops the lock when its holder dies, so a killed test run leaves nothing behind.
func Locked(ctx context.Context, name string, work func(cache string) error) error {
	cache, err := Cache()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(cache, name+".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return fmt.Errorf("lock %s: %w", name, err)
	}
	defer f.Close()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return work(cache)
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return fmt.Errorf("lock %s: %w", name, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("lock %s, held by another test process: %w", name, ctx.Err())
		case <-tick.C:
		}
	}
}
