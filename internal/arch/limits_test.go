package arch

import (
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"strings"
	"testing"
)

// The house's limits; STYLE's numbers.
const (
	maxFileLines       = 700
	maxFuncLines       = 100
	maxCyclomatic      = 25
	maxPackageFiles    = 30
	maxInterfaceMethod = 5
)

var grabBag = regexp.MustCompile(`^(utils?|commons?|helpers?|misc|shared|base|lib|types|models|core|.*utils?)$`)

func TestSizeLimits(t *testing.T) {
	perPackage := map[string]int{}
	for _, f := range tree(t) {
		if f.Generated {
			continue
		}
		if !f.Test {
			perPackage[f.Package]++
			if f.Lines > maxFileLines {
				t.Errorf("%s has %d lines, at most %d", f.Path, f.Lines, maxFileLines)
			}
		}
		if grabBag.MatchString(path.Base(f.Package)) {
			t.Errorf("%s: %q says nothing as a package name", f.Path, path.Base(f.Package))
		}
		for _, decl := range f.AST.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				checkFunc(t, f, d)
			case *ast.GenDecl:
				checkInterfaces(t, f, d)
			}
		}
	}
	for pkg, n := range perPackage {
		if n > maxPackageFiles {
			t.Errorf("package %s has %d files, at most %d", pkg, n, maxPackageFiles)
		}
	}
}

func checkFunc(t *testing.T, f *File, d *ast.FuncDecl) {
	if f.Test {
		return
	}
	if d.Name.Name == "init" && d.Recv == nil {
		t.Errorf("%s has an init function: tables are literals, cmd wires", f.Path)
	}
	if n := f.Fset.Position(d.End()).Line - f.Fset.Position(d.Pos()).Line + 1; n > maxFuncLines {
		t.Errorf("%s: %s has %d lines, at most %d", f.Path, d.Name.Name, n, maxFuncLines)
	}
	if n := cyclomatic(d); n > maxCyclomatic {
		t.Errorf("%s: %s has cyclomatic complexity %d, at most %d", f.Path, d.Name.Name, n, maxCyclomatic)
	}
}

func cyclomatic(d *ast.FuncDecl) int {
	n := 1
	ast.Inspect(d, func(node ast.Node) bool {
		switch x := node.(type) {
		case *ast.IfStmt, *ast.ForStmt, *ast.RangeStmt:
			n++
		case *ast.CaseClause:
			if x.List != nil {
				n++
			}
		case *ast.CommClause:
			if x.Comm != nil {
				n++
			}
		case *ast.BinaryExpr:
			if x.Op == token.LAND || x.Op == token.LOR {
				n++
			}
		}
		return true
	})
	return n
}

func checkInterfaces(t *testing.T, f *File, d *ast.GenDecl) {
	for _, spec := range d.Specs {
		ts, ok := spec.(*ast.TypeSpec)
		if !ok || f.Test {
			continue
		}
		if face, ok := ts.Type.(*ast.InterfaceType); ok && len(face.Methods.List) > maxInterfaceMethod {
			t.Errorf("%s: interface %s has %d methods, at most %d", f.Path, ts.Name.Name, len(face.Methods.List), maxInterfaceMethod)
		}
	}
}

func TestComments(t *testing.T) {
	documented := map[string]bool{}
	exported, bare := 0, []string{}
	for _, f := range tree(t) {
		if f.Test {
			continue
		}
		hasDoc := f.Generated || f.AST.Doc != nil && strings.TrimSpace(f.AST.Doc.Text()) != ""
		documented[f.Package] = documented[f.Package] || hasDoc
		if f.Generated {
			continue
		}
		for _, name := range undocumented(f, &exported) {
			bare = append(bare, f.Path+": "+name)
		}
	}
	for pkg, ok := range documented {
		if !ok {
			t.Errorf("package %s has no package comment", pkg)
		}
	}
	if len(bare)*100 > 2*exported {
		t.Errorf("%d of %d exported names have no comment:\n%s", len(bare), exported, strings.Join(bare, "\n"))
	}
}

// undocumented lists the exported functions, methods and types of f without a comment and counts all exported ones.
func undocumented(f *File, exported *int) []string {
	var bare []string
	note := func(name *ast.Ident, doc *ast.CommentGroup) {
		if !name.IsExported() {
			return
		}
		*exported++
		if doc == nil {
			bare = append(bare, name.Name)
		}
	}
	for _, decl := range f.AST.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil || receiverExported(d) {
				note(d.Name, d.Doc)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if ts, ok := spec.(*ast.TypeSpec); ok {
					doc := ts.Doc
					if doc == nil {
						doc = d.Doc
					}
					note(ts.Name, doc)
				}
			}
		}
	}
	return bare
}

func receiverExported(d *ast.FuncDecl) bool {
	expr := d.Recv.List[0].Type
	for {
		switch x := expr.(type) {
		case *ast.StarExpr:
			expr = x.X
		case *ast.IndexExpr:
			expr = x.X
		case *ast.IndexListExpr:
			expr = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return false
		}
	}
}

func TestNoLeftovers(t *testing.T) {
	marker := regexp.MustCompile(`\b(TODO|FIXME|XXX)\b`)
	for _, f := range tree(t) {
		if f.Generated || f.Package == "internal/arch" {
			continue
		}
		for _, group := range f.AST.Comments {
			if m := marker.FindString(group.Text()); m != "" {
				t.Errorf("%s: a comment says %s", f.Fset.Position(group.Pos()), m)
			}
		}
		if f.Test {
			ast.Inspect(f.AST, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok {
					if sel, ok := call.Fun.(*ast.SelectorExpr); ok && (sel.Sel.Name == "Skip" || sel.Sel.Name == "Skipf" || sel.Sel.Name == "SkipNow") {
						t.Errorf("%s: tests are never skipped", f.Fset.Position(call.Pos()))
					}
				}
				return true
			})
		}
	}
}
