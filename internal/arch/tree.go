// Package arch holds the house up: its tests check the import order, the size limits, package and name comments,
// forbidden imports and that documents name only what exists. tree.go reads the source tree for them.
package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// Module is the path of our Go module.
const Module = "azulejo"

var generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

// File is one parsed Go file of the tree.
type File struct {
	// Path is slash-separated and relative to the module root; Package is its directory, "." for the root.
	Path, Package string
	Lines         int
	Test          bool
	Generated     bool
	// Imports lists the imported packages; those of ours without the module prefix.
	Imports []string
	AST     *ast.File
	Fset    *token.FileSet
}

// Tree parses every Go file under root, leaving out testdata and hidden directories.
func Tree(root string) ([]*File, error) {
	var files []*File
	fset := token.NewFileSet()
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := d.Name()
		if d.IsDir() {
			if name != root && (base == "testdata" || base == "node_modules" || base[0] == '.' || base[0] == '_') {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(base, ".go") {
			return nil
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		f, err := parse(fset, name, filepath.ToSlash(rel))
		files = append(files, f)
		return err
	})
	return files, err
}

func parse(fset *token.FileSet, name, rel string) (*File, error) {
	src, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	tree, err := parser.ParseFile(fset, name, src, parser.ParseComments)
	if err != nil {
		return nil, fmt.Errorf("parse %s: %w", rel, err)
	}
	f := &File{
		Path: rel, Package: path.Dir(rel), Lines: strings.Count(string(src), "\n"), AST: tree, Fset: fset,
		Test: strings.HasSuffix(rel, "_test.go"), Generated: generated.Match(src),
	}
	for _, spec := range tree.Imports {
		f.Imports = append(f.Imports, strings.TrimPrefix(strings.Trim(spec.Path.Value, `"`), Module+"/"))
	}
	return f, nil
}

// Order is the import order: one layer per line of order.txt, lowest first.
type Order struct {
	layers [][]string
	peers  []bool
}

// ParseOrder reads the text of order.txt.
func ParseOrder(text string) *Order {
	o := &Order{}
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), "#")
		if line == "" {
			continue
		}
		packages, peers := strings.CutPrefix(line, "~")
		o.layers = append(o.layers, strings.Fields(packages))
		o.peers = append(o.peers, peers)
	}
	return o
}

// Layer returns the line of a package, counted from 0; false when no line names it. An exact name beats a subtree
// ("x/..."), a longer subtree a shorter one.
func (o *Order) Layer(pkg string) (int, bool) {
	best, layer := -1, 0
	for i, names := range o.layers {
		for _, name := range names {
			rank := -1
			if tree, ok := strings.CutSuffix(name, "/..."); ok && (pkg == tree || strings.HasPrefix(pkg, tree+"/")) {
				rank = len(tree)
			}
			if name == pkg {
				rank = 1 << 20
			}
			if rank > best {
				best, layer = rank, i
			}
		}
	}
	return layer, best >= 0
}

// May reports whether package from may import package to, and why not.
func (o *Order) May(from, to string) error {
	a, ok := o.Layer(from)
	if !ok {
		return fmt.Errorf("%s is on no line of order.txt", from)
	}
	b, ok := o.Layer(to)
	if !ok {
		return fmt.Errorf("%s is on no line of order.txt", to)
	}
	if b > a || b == a && !o.peers[a] {
		return fmt.Errorf("%s (line %d) may not import %s (line %d)", from, a+1, to, b+1)
	}
	return nil
}
