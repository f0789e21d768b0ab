package pyenv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Program is one run of another program.
type Program struct {
	Path  string        // program file
	Args  []string      // without the program itself
	Dir   string        // working directory; empty = this process's
	Env   []string      // added to this process's environment
	Stdin []byte        // input; nil = none
	Limit time.Duration // the run is killed after this; 0 = 5 minutes
}

// Output is what a program wrote until its end.
type Output struct {
	Stdout, Stderr []byte
}

// Command prepares the program in a process group of its own. Ending ctx kills that whole group and no other process.
func (p Program) Command(ctx context.Context) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.Path, p.Args...)
	cmd.Dir = p.Dir
	cmd.Env = append(os.Environ(), p.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return KillGroup(cmd.Process) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// KillGroup kills a process made by Program.Command together with its children.
func KillGroup(p *os.Process) error {
	err := syscall.Kill(-p.Pid, syscall.SIGKILL)
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}

// Run runs the program to its end and returns what it wrote. The error of a run that failed or took too long carries
// the end of its standard error.
func (p Program) Run(ctx context.Context) (Output, error) {
	limit := p.Limit
	if limit == 0 {
		limit = 5 * time.Minute
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("took longer than %s", limit))
	defer cancel()
	cmd := p.Command(ctx)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if p.Stdin != nil {
		cmd.Stdin = bytes.NewReader(p.Stdin)
	}
	err := cmd.Run()
	out := Output{Stdout: stdout.Bytes(), Stderr: stderr.Bytes()}
	if err == nil {
		return out, nil
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return out, fmt.Errorf("%s %v: %w\n%s", p.Path, p.Args, err, tail(out.Stderr, 8000))
}

func tail(b []byte, n int) []byte {
	if len(b) > n {
		b = b[len(b)-n:]
	}
	return b
}
