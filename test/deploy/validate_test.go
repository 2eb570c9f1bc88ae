package deploy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

const shipped = "../../deploy/"

// Built once, for all tests.
var validate, mochibosh string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "deploy")
	if err != nil {
		panic(err)
	}
	validate, mochibosh = filepath.Join(dir, "validate"), filepath.Join(dir, "mochibosh")
	code := 1
	for _, build := range []*exec.Cmd{
		exec.Command("go", "build", "-C", "validate", "-o", validate, "."),
		exec.Command("go", "build", "-o", mochibosh, "../../cmd/mochibosh"),
	} {
		if out, e := build.CombinedOutput(); e != nil {
			err = fmt.Errorf("%v: %w\n%s", build.Args, e, out)
			break
		}
	}
	if err == nil {
		code = m.Run()
	} else {
		fmt.Fprintln(os.Stderr, err)
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// read has a file read by the library that it is for, and what that makes of it
// stored in found.
func read(t *testing.T, found any, args ...string) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(validate, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	if errs.Len() > 0 {
		t.Errorf("warned of: %s", errs.String())
	}
	if err := json.Unmarshal(out.Bytes(), found); err != nil {
		t.Fatal(err)
	}
}

func text(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
