package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"
)

// checkRun holds the report against a run of all tests: what it calls tested
// was named by a test that passed, and by none that did not. In the files
// each line is an outcome, a tab, and the name of a test.
func checkRun(all []requirement, tests named, files []string) error {
	ran := map[string]map[string]bool{} // number → outcomes
	for _, file := range files {
		if err := readRun(ran, file); err != nil {
			return err
		}
	}
	var errs []error
	for _, r := range all {
		outcomes := ran[r.Number]
		switch {
		case len(tests[r.Number]) == 0:
		case len(outcomes) == 0:
			errs = append(errs, fmt.Errorf("%s is in no name of a test that ran, though %v seems to name it", r.Number, tests[r.Number]))
		case len(outcomes) > 1 || !outcomes["passed"]:
			errs = append(errs, fmt.Errorf("not every test of %s passed", r.Number))
		}
	}
	return errors.Join(errs...)
}

func readRun(ran map[string]map[string]bool, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		outcome, name, _ := strings.Cut(lines.Text(), "\t")
		for _, number := range numbersIn(name) {
			if ran[number] == nil {
				ran[number] = map[string]bool{}
			}
			ran[number][outcome] = true
		}
	}
	return lines.Err()
}
