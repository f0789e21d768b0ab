package catalog

import "golang.org/x/sys/unix"

// linkFree reports whether no part of an existing path is a symbolic link. False
// can also mean that the kernel cannot say.
func linkFree(path string) bool {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS}
	fd, err := unix.Openat2(unix.AT_FDCWD, path, &how)
	if err != nil {
		return false
	}
	unix.Close(fd) // best effort: nothing was opened for reading or writing
	return true
}
