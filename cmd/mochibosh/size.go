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
	bytes int64
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *size) UnmarshalText(text []byte) error {
	n, err := parseSize(text)
	if err == nil && n > math.MaxInt32 {
		err = notSize(text)
	}
	*s = size(n)
	return err
}

func parseSize(text []byte) (int64, error) {
	digits, unit := strings.TrimSpace(string(text)), int64(1)
	for _, u := range units {
		if d, ok := strings.CutSuffix(digits, u.name); ok {
			digits, unit = strings.TrimSpace(d), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64/unit {
		return 0, notSize(text)
	}
	return n * unit, nil
}

func notSize(text []byte) error {
	return fmt.Errorf("%q is no size such as 65536, 64KiB or 1MiB", text)
}

// String returns the size in the largest unit that needs no fraction.
func (s size) String() string { return formatSize(int64(s)) }

func formatSize(n int64) string {
	for _, u := range units {
		if n%u.bytes == 0 && n != 0 && u.bytes > 1 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}
