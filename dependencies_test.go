package mochibosh_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A dependency is a row of docs/dependencies.md.
type dependency struct{ version, date, licence, reason string }

// docs/dependencies.md has every module and package, with the version that is
// used, and no other.
func TestDependenciesAreDocumented(t *testing.T) {
	files := make(map[string]map[string]dependency)
	for _, section := range strings.Split(read(t, "docs/dependencies.md"), "\n## `")[1:] {
		file, rest, _ := strings.Cut(section, "`")
		files[file] = make(map[string]dependency)
		for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| ([^|]*) \\| ([^|]*)\\| ([^|]*) \\| ([^|]*) \\|$").FindAllStringSubmatch(rest, -1) {
			files[file][m[1]] = dependency{m[2], strings.TrimSpace(m[3]), m[4], m[5]}
		}
	}
	used := 0
	for _, pattern := range []string{"go.mod", "*/go.mod", "*/*/go.mod", "*/*/*/go.mod", "*/package-lock.json", "*/*/package-lock.json", "*/*/*/package-lock.json"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range found {
			if strings.Contains(file, "node_modules") {
				continue
			}
			used++
			compare(t, file, files[file])
		}
	}
	if used != len(files) {
		t.Errorf("%d files are documented, there are %d", len(files), used)
	}
}

func compare(t *testing.T, file string, documented map[string]dependency) {
	t.Helper()
	parse := goModules
	if strings.HasSuffix(file, ".json") {
		parse = npmPackages
	}
	all := parse(t, file)
	for name, want := range all {
		got, ok := documented[name]
		switch {
		case !ok:
			t.Errorf("%s: %s %s is not documented", file, name, want.version)
		case got.version != want.version, want.licence != "" && got.licence != want.licence:
			t.Errorf("%s: %s is documented as %s, %s, and is %s, %s", file, name, got.version, got.licence, want.version, want.licence)
		case got.licence == "", got.reason == "":
			t.Errorf("%s: %s has no licence or no reason", file, name)
		case want.date == "" && got.date == "":
			// Nobody tells.
		default:
			if _, err := time.Parse(time.DateOnly, got.date); err != nil {
				t.Errorf("%s: %s: %v", file, name, err)
			}
		}
	}
	for name := range documented {
		if _, ok := all[name]; !ok {
			t.Errorf("%s: %s is documented, and not used", file, name)
		}
	}
}

func goModules(t *testing.T, file string) map[string]dependency {
	t.Helper()
	out, err := exec.Command("go", "mod", "edit", "-json", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	var mod struct {
		Require []struct{ Path, Version string }
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	all := make(map[string]dependency)
	for _, r := range mod.Require {
		all[r.Path] = dependency{version: r.Version, date: "needed"}
	}
	return all
}

func npmPackages(t *testing.T, file string) map[string]dependency {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var lock struct {
		Packages map[string]struct {
			Version, License              string
			Dependencies, DevDependencies map[string]string
		}
	}
	if err := json.Unmarshal(data, &lock); err != nil {
		t.Fatal(err)
	}
	all := make(map[string]dependency)
	root := lock.Packages[""]
	for path, p := range lock.Packages {
		_, name, ok := strings.Cut(path, "node_modules/")
		if !ok {
			continue // ours
		}
		d := dependency{version: p.Version, licence: p.License}
		if d.version == "" {
			d.version = "linked"
		}
		if root.Dependencies[name]+root.DevDependencies[name] != "" {
			d.date = "needed"
		}
		all[name] = d
	}
	return all
}
