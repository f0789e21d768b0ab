package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// progress shows on standard error how far a long command is, when that is a terminal.
type progress struct {
	what  string
	total int64
	out   *os.File
	last  time.Time
	shown bool
}

// newProgress begins a bar; total is the number of rows, 0 when it is not known.
func newProgress(what string, total int64) *progress {
	p := &progress{what: what, total: total}
	if info, err := os.Stderr.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb" {
		p.out = os.Stderr
	}
	return p
}

// at shows that so many rows are done, ten times a second at most.
func (p *progress) at(rows int64) {
	if p.out == nil || time.Since(p.last) < 100*time.Millisecond {
		return
	}
	p.last, p.shown = time.Now(), true
	fmt.Fprint(p.out, "\r\x1b[K", p.line(rows))
}

// line is the bar of 30 characters and the figures.
func (p *progress) line(rows int64) string {
	if p.total <= 0 {
		return fmt.Sprintf("%s: %d rows", p.what, rows)
	}
	full := int(min(rows, p.total) * 30 / p.total)
	return fmt.Sprintf("%s [%s%s] %3d %%  %d of %d rows", p.what, strings.Repeat("#", full), strings.Repeat(".", 30-full), min(rows, p.total)*100/p.total, rows, p.total)
}

// done takes the bar away.
func (p *progress) done() {
	if p.shown {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}
