package bosh

import (
	"strconv"
	"testing"
)

func TestSessionsThatAgreedOnTheSameShare(t *testing.T) {
	var a agreed
	one := a.share(map[string]string{"to": "x", "ver": "1.6"})
	one["seen"] = "yes" // as nobody else does
	if a.share(map[string]string{"ver": "1.6", "to": "x"})["seen"] == "" {
		t.Error("equal maps are two")
	}
	if a.share(map[string]string{"to": "x", "ver": "1.5"})["seen"] != "" {
		t.Error("maps that differ are one")
	}
	for i := range 2 * maxAgreed {
		a.share(map[string]string{"to": strconv.Itoa(i)})
	}
	if len(a.known) != maxAgreed {
		t.Errorf("%d are remembered, want %d", len(a.known), maxAgreed)
	}
}
