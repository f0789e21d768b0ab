// Command corpus runs a compatibility corpus, arrays and groups that libtiledb wrote with the results it read from
// them, through the public library.
//
//	go run ./internal/oracle/corpus read CORPUS RESULTS [--only GLOB]
//	go run ./internal/oracle/corpus replay CORPUS WRITTEN [--only GLOB]
//
// read performs every read of the corpus's manifest on the corpus's own arrays and writes what it got as
// RESULTS/<case>/NNN.npz or .json, or error-<i>.json for a read that must be refused and was. replay performs every
// case's steps with the library's writer into WRITTEN/<case>/data and the state-N copies that its reads name, for
// libtiledb to read.
//
// Both write report.json, which gives every case ok, unsupported (by the name of the feature) or failed, and end with
// the totals. The exit status is 1 when a case failed.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "corpus:", err)
		stop()
		os.Exit(1)
	}
}

// run performs the command line args and prints what is not right and the totals to w.
func run(ctx context.Context, args []string, w io.Writer) error {
	flags := flag.NewFlagSet("corpus", flag.ContinueOnError)
	only := flags.String("only", "*", "only the cases whose name matches this glob")
	cells := flags.Int("cells", 0, "read: take results in parts of at most this many cells; 0 = whole")
	positional, err := parseAll(flags, args)
	if err != nil {
		return err
	}
	if len(positional) != 3 {
		return fmt.Errorf("want: read|replay CORPUS DIRECTORY [--only GLOB], got %q", args)
	}
	verb, corpus, out := positional[0], positional[1], positional[2]
	m, err := loadManifest(corpus, *only)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	r := &report{cases: map[string]outcome{}}
	for _, c := range m.Cases {
		var errs []error
		dir := filepath.Join(out, filepath.FromSlash(c.Name))
		switch verb {
		case "read":
			reader := &reader{corpus: corpus, out: dir, cells: *cells}
			errs = reader.run(ctx, &c)
			r.reads += len(c.Reads)
			r.readsDone += reader.done
		case "replay":
			errs = replay(ctx, &c, filepath.Join(corpus, c.Dir), dir)
		default:
			return fmt.Errorf("unknown command %q", verb)
		}
		r.add(c.Name, errs)
	}
	return r.write(out, w)
}

// parseAll parses flags that may stand before, between and after the other arguments, which it returns.
func parseAll(flags *flag.FlagSet, args []string) ([]string, error) {
	var positional []string
	for len(args) > 0 {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		args = flags.Args()
		if len(args) > 0 {
			positional, args = append(positional, args[0]), args[1:]
		}
	}
	return positional, nil
}
