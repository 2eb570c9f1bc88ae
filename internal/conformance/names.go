package main

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// place is a test that names requirements: a function of a Go file, or a file
// of browser tests.
type place struct {
	File string // from the root of the module
	Test string // empty in browser tests
}

// named maps each number to the tests that name it.
type named map[string][]place

func (n named) add(name string, p place) {
	for _, number := range numbersIn(name) {
		if !slices.Contains(n[number], p) {
			n[number] = append(n[number], p)
		}
	}
}

// readNames collects what the tests below a folder name.
func readNames(root string) (named, error) {
	n := named{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && (d.Name() == "node_modules" || strings.HasPrefix(d.Name(), ".")) {
			return fs.SkipDir
		}
		file, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		switch {
		case strings.HasSuffix(file, "_test.go") && filepath.ToSlash(filepath.Dir(file)) != own:
			return n.readGo(path, filepath.ToSlash(file))
		case strings.HasSuffix(file, ".test.mjs"):
			return n.readScript(path, filepath.ToSlash(file))
		}
		return nil
	})
	for _, places := range n {
		slices.SortFunc(places, func(a, b place) int {
			return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Test, b.Test))
		})
	}
	return n, err
}

// own is this package, whose tests name numbers that do not exist.
const own = "internal/conformance"

// readGo reads what a file calls its tests: the name given to a Run, to a
// function of the test itself, or standing at the start of a string in a
// table; and the value of a test's attribute "requirements". What the names
// turn out to be, only a run can tell; see checkRun.
func (n named) readGo(path, file string) error {
	parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	for _, d := range parsed.Decls {
		p := place{File: file}
		if f, ok := d.(*ast.FuncDecl); ok {
			p.Test = f.Name.Name
		}
		ast.Inspect(d, func(node ast.Node) bool {
			for _, name := range namesOf(node) {
				n.add(name, p)
			}
			return true
		})
	}
	return nil
}

// namesOf returns the names that a node gives.
func namesOf(node ast.Node) (names []string) {
	switch node := node.(type) {
	case *ast.CallExpr:
		if len(node.Args) == 0 {
			return nil
		}
		switch f := node.Fun.(type) {
		case *ast.SelectorExpr:
			if f.Sel.Name == "Run" {
				return stringsIn(node.Args[0])
			}
			if f.Sel.Name == "Attr" && len(node.Args) == 2 && slices.Contains(stringsIn(node.Args[0]), attribute) {
				return stringsIn(node.Args[1])
			}
		case *ast.Ident:
			return leading(stringsIn(node.Args[0]))
		}
	case *ast.CompositeLit:
		for _, e := range node.Elts {
			if kv, ok := e.(*ast.KeyValueExpr); ok {
				names = append(names, leading(stringsIn(kv.Key))...)
				e = kv.Value
			}
			names = append(names, leading(stringsIn(e))...)
		}
	}
	return names
}

// attribute is the key of the attribute of a test which is one long story,
// and would be cut in pieces for the sake of names.
const attribute = "requirements"

// leading returns the texts that begin with a number.
func leading(texts []string) []string {
	return slices.DeleteFunc(texts, func(s string) bool {
		m := numberPattern.FindStringIndex(s)
		return m == nil || m[0] != 0
	})
}

// stringsIn returns the literals of a text, which may be put together.
func stringsIn(e ast.Expr) []string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if s, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
			return []string{s}
		}
	case *ast.BinaryExpr:
		return append(stringsIn(e.X), stringsIn(e.Y)...)
	}
	return nil
}

var scriptTest = regexp.MustCompile("\\b(?:test|it)\\(\\s*(?:'([^'\\n]*)'|\"([^\"\\n]*)\"|`([^`]*)`)")

func (n named) readScript(path, file string) error {
	source, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for _, m := range scriptTest.FindAllStringSubmatch(string(source), -1) {
		n.add(m[1]+m[2]+m[3], place{File: file})
	}
	return nil
}
