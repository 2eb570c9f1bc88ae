// Command validate reads the files of deploy/ as those do whom they are for, by
// their own libraries, and prints what they make of them as JSON. It is a module
// of its own, since nobody else needs so much to be built.
//
//	validate dockerfile deploy/docker/Dockerfile
//	validate compose deploy/docker/one-node.yaml NAME=VALUE...
//	validate kubernetes deploy/kubernetes
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "validate:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("usage: validate dockerfile|compose|kubernetes FILE")
	}
	var found any
	var err error
	switch args[0] {
	case "dockerfile":
		found, err = dockerfile(args[1])
	case "compose":
		found, err = compose(args[1], args[2:])
	case "kubernetes":
		found, err = kubernetes(args[1])
	default:
		err = fmt.Errorf("%s: no such kind of file", args[0])
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(found)
}
