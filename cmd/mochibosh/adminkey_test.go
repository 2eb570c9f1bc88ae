package main

import (
	"strings"
	"testing"
)

func TestAdminKeys(t *testing.T) {
	ann, annSecret := newAdminKey("ann")
	ben, benSecret := newAdminKey("ben")
	keys, err := parseAdminKeys("# who operates\n\n" + ann.String() + "\r\n" + ben.String())
	if err != nil {
		t.Fatal(err)
	}
	for secret, want := range map[string]string{annSecret: "ann", benSecret: "ben", "": "", adminSecret: "", annSecret + "x": "", ann.String(): ""} {
		if got := keys.find(secret); got != want {
			t.Errorf("%q is %q's", secret, got)
		}
	}
	if strings.Contains(ann.String(), annSecret) || adminKeys(nil).find("") != "" {
		t.Error("the key stands in its file, or nothing is one")
	}
	hash := strings.Fields(ann.String())[1]
	for name, line := range map[string]string{
		"no hash":                 "ann",
		"a hash of another kind":  "ann md5:00",
		"half a hash":             "ann " + hash[:30],
		"too long a hash":         "ann " + hash + "00",
		"more than a hash":        ann.String() + " publish on *",
		"the key itself":          "ann " + annSecret,
		"only the key":            annSecret,
		"a name twice":            ann.String() + "\n" + ann.String(),
		"a name that is too long": strings.Repeat("a", maxAdminName+1) + " " + hash,
	} {
		if _, err := parseAdminKeys(line); err == nil || !strings.Contains(err.Error(), "line ") || strings.Contains(err.Error(), annSecret) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string]string{"nothing": "", "a comment": "# none yet"} {
		if _, err := readAdminKeys(writeFile(t, "keys", text)); err == nil || !strings.Contains(err.Error(), "no key is in it") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseAdminKeys(f *testing.F) {
	k, _ := newAdminKey("ann")
	f.Add(k.String())
	f.Add("# nothing\n\nann sha256:00")
	f.Fuzz(func(t *testing.T, text string) {
		keys, err := parseAdminKeys(text)
		if err != nil {
			return
		}
		for _, k := range keys {
			if again, err := parseAdminKeys(k.String()); err != nil || len(again) != 1 || again[0] != k {
				t.Errorf("%q is written as %q: %v", text, k, err)
			}
		}
	})
}
