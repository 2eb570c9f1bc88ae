package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// root is the module's.
const root = "../.."

// What is committed is what the tests name; make conformance writes it.
func TestReportIsUpToDate(t *testing.T) {
	all, err := readRequirements(filepath.Join(root, dataFile))
	if err != nil {
		t.Fatal(err)
	}
	tests, err := readNames(root)
	if err != nil {
		t.Fatal(err)
	}
	committed, err := os.ReadFile(filepath.Join(root, reportFile))
	if err != nil {
		t.Fatal(err)
	}
	if report(all, tests) != string(committed) {
		t.Errorf("%s is not what the tests name; run make conformance", reportFile)
	}
	for _, r := range all {
		delete(tests, r.Number)
	}
	for _, number := range slices.Sorted(maps.Keys(tests)) {
		t.Errorf("%v names %s, which does not exist", tests[number], number)
	}
}

func TestNumbersInNames(t *testing.T) {
	for name, want := range map[string][]string{
		"B-07.3 B-17.10: a target":       {"B-07.3", "B-17.10"},
		"TestX/S-XX.1_W-A.1,_X-K.1/A-3":  {"S-XX.1", "W-A.1", "X-K.1", "A-3"},
		"UTF-8, SHA-1, A-B and C-4you":   nil,
		"passed (T-01), not R-04.1 (x)":  {"T-01", "R-04.1"},
		"TestR/H-05#01":                  {"H-05"},
		"web/test/a.mjs:3:1 C-14 unload": {"C-14"},
	} {
		if got := numbersIn(name); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestNamesAreFound(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "x_test.go", `package x
func TestA(t *testing.T) {
	t.Attr("requirements", "B-01.1 B-01.2")
	t.Run("B-02.1 "+name, nil)
	local("B-03.1 x")
	w.want("B-99.1 an assertion")
	for _, test := range []struct{ name string }{{"B-04.1 x"}, {name: "B-04.2"}, {"not at the start: B-99.2"}} {
		t.Run(test.name, nil)
	}
	for name := range map[string]int{"B-05.1": 1} {
		t.Run(name, nil)
	}
}
`)
	write(t, dir, "y.test.mjs", "test('B-06.1 a', f); await t.test(`B-06.2 b`, f); assert.equal(a, b, 'B-99.3');")
	write(t, dir, "z.go", `package x; var _ = f("B-99.4")`)
	tests, err := readNames(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"B-01.1", "B-01.2", "B-02.1", "B-03.1", "B-04.1", "B-04.2", "B-05.1", "B-06.1", "B-06.2"}
	if got := slices.Sorted(maps.Keys(tests)); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := tests["B-02.1"]; !slices.Equal(got, []place{{"x_test.go", "TestA"}}) {
		t.Errorf("got %v", got)
	}
}

func TestStates(t *testing.T) {
	all := []requirement{
		{Number: "B-01.1", Text: "a|b"},
		{Number: "B-01.2", Text: "c", Waived: byDesign, Reason: "so"},
		{Number: "B-01.3", Text: "d", Waived: byClient},
		{Number: "B-01.4", Text: "e"},
		{Number: "B-01.5", Text: "f", Waived: byServer},
	}
	got := report(all, named{"B-01.1": {{"x_test.go", "TestA"}}, "B-01.5": {{"y.test.mjs", ""}}})
	for _, want := range []string{
		`| B-01.1 |  |  |  | a\|b | tested | [TestA](../x_test.go) |`,
		"| B-01.2 |  |  |  | c | by design: so |  |",
		"| B-01.3 |  |  |  | d | client |  |",
		"| B-01.4 |  |  |  | e | open |  |",
		"| B-01.5 |  |  |  | f | tested | [y.test.mjs](../y.test.mjs) |",
		"| XEP-0124, BOSH | 2 | 1 | 1 | 0 | 1 | 5 |",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the report lacks %q", want)
		}
	}
}

func TestRunIsChecked(t *testing.T) {
	all := []requirement{{Number: "B-01.1"}, {Number: "B-01.2"}, {Number: "B-01.3"}, {Number: "B-01.4"}}
	tests := named{"B-01.1": {{"x", "A"}}, "B-01.2": {{"x", "A"}}, "B-01.3": {{"x", "A"}}}
	dir := t.TempDir()
	good := write(t, dir, "good", "passed\tp TestA/B-01.1_x\npassed\tp TestB B-01.2 B-01.3\n")
	bad := write(t, dir, "bad", "skipped\tp TestC/B-01.2\nfailed\tp TestC/B-01.1\n")
	if err := checkRun(all, tests, []string{good}); err != nil {
		t.Error(err)
	}
	err := checkRun(all, tests, []string{good, bad})
	if err == nil || strings.Count(err.Error(), "\n") != 1 || strings.Contains(err.Error(), "B-01.3") {
		t.Errorf("got %v", err)
	}
	if err := checkRun(all, tests, []string{bad}); err == nil || !strings.Contains(err.Error(), "B-01.3 is in no name") {
		t.Errorf("got %v", err)
	}
}

func TestDataIsChecked(t *testing.T) {
	dir := t.TempDir()
	for _, line := range []string{
		"B-01.1\t1\tMUST\tCM\ttext\t",
		"B\t1\tMUST\tCM\ttext\t\t",
		"B-01.1\t1\tMUST\tCM\t\t\t",
		"B-01.1\t1\tMUST\tCM\ttext\tdone\t",
		"B-01.1\t1\tMUST\tCM\ttext\tdesign\t",
		"B-01.1\t1\tMUST\tCM\ttext\tclient\twhy",
		"B-01.1\t1\tMUST\tCM\ttext\t\t\nB-01.1\t1\tMUST\tCM\ttext\t\t",
	} {
		if _, err := readRequirements(write(t, dir, "data", "head\n"+line+"\n")); err == nil {
			t.Errorf("%q is accepted", line)
		}
	}
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}
