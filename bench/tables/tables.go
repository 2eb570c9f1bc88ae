// Package tables is what benchmarks make of their figures.
package tables

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// Median returns the middle one of the values; of none, zero.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	values = slices.Sorted(slices.Values(values))
	return values[len(values)/2]
}

// Marks returns what stands in a file before and after the tables of that name.
func Marks(name string) (begin, end string) {
	return "<!-- begin of " + name + " -->\n", "<!-- end of " + name + " -->\n"
}

// Replace writes tables between the marks of a file.
func Replace(file, name, tables string) error {
	file = filepath.Clean(file)
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	begin, end := Marks(name)
	before, rest, ok1 := bytes.Cut(data, []byte(begin))
	_, after, ok2 := bytes.Cut(rest, []byte(end))
	if !ok1 || !ok2 {
		return fmt.Errorf("%s has no place for the tables of %s", file, name)
	}
	data = fmt.Appendf(nil, "%s%s%s%s%s", before, begin, tables, end, after)
	return os.WriteFile(file, data, 0o644)
}
