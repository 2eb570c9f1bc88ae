package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A size is a number of bytes: "65536", "64KiB", "1MiB".
type size int

var units = []struct {
	name  string
	bytes int
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *size) UnmarshalText(text []byte) error {
	digits, unit := strings.TrimSpace(string(text)), 1
	for _, u := range units {
		if d, ok := strings.CutSuffix(digits, u.name); ok {
			digits, unit = strings.TrimSpace(d), u.bytes
			break
		}
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n <= 0 || n > math.MaxInt32/unit {
		return fmt.Errorf("%q is no size such as 65536, 64KiB or 1MiB", text)
	}
	*s = size(n * unit)
	return nil
}

// String returns the size in the largest unit that needs no fraction.
func (s size) String() string {
	for _, u := range units {
		if int(s)%u.bytes == 0 && s != 0 && u.bytes > 1 {
			return strconv.Itoa(int(s)/u.bytes) + u.name
		}
	}
	return strconv.Itoa(int(s))
}
