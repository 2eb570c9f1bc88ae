package tables

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{
		{nil, 0},
		{[]float64{2}, 2},
		{[]float64{5, 1, 3}, 3},
	} {
		if got := Median(c.values); got != c.want {
			t.Errorf("the median of %v is %v", c.values, got)
		}
	}
}

func TestReplace(t *testing.T) {
	begin, end := Marks("a")
	file := filepath.Join(t.TempDir(), "doc.md")
	if err := os.WriteFile(file, []byte("before\n"+begin+"old\n"+end+"after\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Replace(file, "a", "new\n"); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != "before\n"+begin+"new\n"+end+"after\n" {
		t.Errorf("%s, %v", got, err)
	}
	if err := Replace(file, "b", ""); err == nil {
		t.Error("there is no place for b")
	}
}
