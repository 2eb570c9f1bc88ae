package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// An instruction is one of a Dockerfile.
type instruction struct {
	Stage string // its name, or the image that it begins with
	Name  string // in lower case, such as "copy"
	Flags []string
	Args  []string
}

// dockerfile returns the instructions in their order. What BuildKit would warn
// of is an error, too.
func dockerfile(name string) ([]instruction, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	parsed, err := parser.Parse(f)
	if err != nil {
		return nil, err
	}
	for _, w := range parsed.Warnings {
		return nil, fmt.Errorf("%s: %s", name, w.Short)
	}
	var warned error
	lint := linter.New(&linter.Config{Warn: func(rule, _, _, message string, _ []parser.Range) {
		warned = fmt.Errorf("%s: %s: %s", name, rule, message)
	}})
	if _, _, err := instructions.Parse(parsed.AST, lint); err != nil {
		return nil, err
	}
	var all []instruction
	stage := ""
	for _, node := range parsed.AST.Children {
		i := instruction{Name: strings.ToLower(node.Value), Flags: node.Flags}
		for n := node.Next; n != nil; n = n.Next {
			i.Args = append(i.Args, n.Value)
		}
		if i.Name == "from" {
			stage = i.Args[len(i.Args)-1]
		}
		i.Stage = stage
		all = append(all, i)
	}
	return all, warned
}
