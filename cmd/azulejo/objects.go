package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"azulejo/array"
	"azulejo/format"
	"azulejo/group"
	"azulejo/object"
	"azulejo/schema"
	"azulejo/vfs"
)

// fromTo are the two places of a copy or move.
type fromTo struct {
	storeFlags
	From string `arg:"" help:"The array or group: a directory or a URI of any store."`
	To   string `arg:"" help:"Where it goes; nothing may be there."`
}

// run does a copy or move between the two places and shows how far it is.
func (c *fromTo) run(ctx context.Context, do func(ctx context.Context, from, to object.Place, o object.Options) error) error {
	all, err := c.stores()
	if err != nil {
		return err
	}
	var places [2]object.Place
	for i, uri := range []string{c.From, c.To} {
		if uri, err = local(uri); err != nil {
			return err
		}
		fs, err := all.Backend(uri)
		if err != nil {
			return fmt.Errorf("%s: %w", uri, err)
		}
		places[i] = object.Place{FS: fs, URI: uri}
	}
	bar := newBar(os.Stderr)
	err = do(ctx, places[0], places[1], object.Options{Report: bar.report})
	bar.end()
	return err
}

type arrayCopy struct{ fromTo }

// Run is called by the command line parser.
func (c *arrayCopy) Run(ctx context.Context) error { return c.run(ctx, object.Copy) }

type arrayMove struct{ fromTo }

// Run is called by the command line parser.
func (c *arrayMove) Run(ctx context.Context) error { return c.run(ctx, object.Move) }

// bar draws the progress of a copy on a terminal, and nothing elsewhere.
type bar struct {
	out   io.Writer
	shown time.Time
	drawn bool
}

// barPause is the least time between two drawings.
const barPause = 100 * time.Millisecond

// newBar returns a bar for a file, which draws if that is a terminal.
func newBar(f *os.File) *bar {
	if fi, err := f.Stat(); err != nil || fi.Mode()&os.ModeCharDevice == 0 {
		return &bar{}
	}
	return &bar{out: f}
}

func (b *bar) report(p object.Progress) {
	if b.out == nil || time.Since(b.shown) < barPause && p.Files < p.AllFiles {
		return
	}
	b.shown, b.drawn = time.Now(), true
	fmt.Fprint(b.out, "\r", barText(p), "\x1b[K")
}

func (b *bar) end() {
	if b.drawn {
		fmt.Fprintln(b.out)
	}
}

// barText is one drawing of a bar.
func barText(p object.Progress) string {
	const width = 30
	full := width
	if p.AllBytes > 0 {
		full = int(min(p.NBytes, p.AllBytes) * width / p.AllBytes)
	}
	return fmt.Sprintf("[%s%s] %d of %d files, %s of %s", strings.Repeat("#", full), strings.Repeat(".", width-full), p.Files, p.AllFiles, sizeText(p.NBytes), sizeText(p.AllBytes))
}

// sizeText is a number of bytes in a unit that suits it.
func sizeText(n int64) string {
	units := []string{"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"}
	v, i := float64(n), 0
	for v >= 1024 && i+1 < len(units) {
		v, i = v/1024, i+1
	}
	if i == 0 {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%.1f %s", v, units[i])
}

// folderArg is the folder that a command is about.
type folderArg struct {
	storeFlags
	URI string `arg:"" name:"uri" help:"A directory or a URI of any store."`
}

type arrayRemove struct{ folderArg }

// Run is called by the command line parser.
func (c *arrayRemove) Run(ctx context.Context) error {
	fs, uri, err := c.store(c.URI)
	if err != nil {
		return err
	}
	return object.Remove(ctx, fs, uri)
}

var kindNames = map[format.ObjectType]string{0: "folder", format.ObjectArray: "array", format.ObjectGroup: "group"}

type arrayList struct{ folderArg }

// Run is called by the command line parser.
func (c *arrayList) Run(ctx context.Context) error {
	fs, uri, err := c.store(c.URI)
	if err != nil {
		return err
	}
	list, err := object.List(ctx, fs, uri)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, o := range list {
		fmt.Fprintf(w, "%s\t%s\n", kindNames[o.Type], vfs.Base(o.URI))
	}
	return w.Flush()
}

type arrayTree struct{ folderArg }

// Run is called by the command line parser.
func (c *arrayTree) Run(ctx context.Context) error {
	fs, uri, err := c.store(c.URI)
	if err != nil {
		return err
	}
	root := vfs.Trim(uri)
	fmt.Println(root)
	return object.Walk(ctx, fs, root, func(o object.Object, depth int) error {
		if depth > 0 {
			fmt.Printf("%s%s  %s\n", strings.Repeat("  ", depth), o.URI[len(root)+1:], kindNames[o.Type])
		}
		return nil
	})
}

type arrayInfo struct{ uriArg }

// Run is called by the command line parser.
func (c *arrayInfo) Run(ctx context.Context) error {
	fs, uri, err := c.store(c.URI)
	if err != nil {
		return err
	}
	t, err := object.TypeOf(ctx, fs, uri)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "uri\t%s\n", uri)
	switch t {
	case format.ObjectArray:
		err = c.array(ctx, w)
	case format.ObjectGroup:
		err = c.group(ctx, fs, uri, w)
	default:
		err = &object.Error{Op: "look at", URI: uri, Err: object.ErrNotFound}
	}
	if err != nil {
		return err
	}
	use, err := object.UsageOf(ctx, fs, uri)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "files\t%d\nsize\t%s\n", use.Files, sizeText(use.NBytes))
	return w.Flush()
}

func (c *arrayInfo) array(ctx context.Context, w io.Writer) error {
	arr, err := c.open(ctx)
	if err != nil {
		return err
	}
	kind := "dense"
	if arr.Schema.Type == schema.Sparse {
		kind = "sparse"
	}
	cells := uint64(0)
	for _, f := range arr.Fragments() {
		cells += f.Footer().NumCells()
	}
	fmt.Fprintf(w, "kind\t%s array\nformat version\t%d\ndimensions\t%d\nattributes\t%d\nfragments\t%d\ncells in fragments\t%d\n",
		kind, arr.Schema.Version, len(arr.Schema.Domain.Dimensions), len(arr.Schema.Attributes), len(arr.Fragments()), cells)
	for i, r := range arr.NonEmptyDomain() {
		d := arr.Schema.Domain.Dimensions[i]
		fmt.Fprintf(w, "non-empty %q\t%s\n", d.Name, rangeText(r, d.Type))
	}
	entries, err := arr.Metadata(ctx)
	fmt.Fprintf(w, "metadata entries\t%d\n", len(entries))
	return err
}

func (c *arrayInfo) group(ctx context.Context, fs vfs.FS, uri string, w io.Writer) error {
	key, err := c.key()
	if err != nil {
		return err
	}
	g, err := group.Open(ctx, fs, uri, c.at(), group.WithKey(key))
	if err != nil {
		return err
	}
	entries, err := g.Metadata(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "kind\tgroup\nmembers\t%d\nmetadata entries\t%d\n", len(g.Members()), len(entries))
	for _, m := range g.Members() {
		fmt.Fprintf(w, "member %q\t%s %s\n", m.Name, kindNames[m.Type], g.Resolve(m))
	}
	return nil
}

// at is the time that a command looks at.
func (a uriArg) at() array.Interval {
	at := array.Latest()
	if a.At != 0 {
		at.End = a.At
	}
	return at
}
