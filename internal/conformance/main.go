// Conformance writes docs/conformance.md: each requirement of the
// specifications, with the tests that have its number in their name.
//
//	conformance           writes it
//	conformance -ran f …  checks that in the run of all tests which the files
//	                      tell of, each requirement's tests passed
//
// It works in the root of the module.
package main

import (
	"flag"
	"fmt"
	"os"
)

const (
	dataFile   = "docs/requirements.tsv"
	reportFile = "docs/conformance.md"
)

func main() {
	ran := flag.Bool("ran", false, "check a run of all tests")
	flag.Parse()
	all, err := readRequirements(dataFile)
	var tests named
	if err == nil {
		tests, err = readNames(".")
	}
	if err == nil {
		if *ran {
			err = checkRun(all, tests, flag.Args())
		} else {
			err = os.WriteFile(reportFile, []byte(report(all, tests)), 0o666)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}
