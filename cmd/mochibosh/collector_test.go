package main

import "testing"

func TestCollector(t *testing.T) {
	const little, much = busyRate - 1, busyRate
	type step struct {
		allocated, inUse uint64
		percent          int
		giveBack         bool
	}
	quiet := func(steps int, percent int) (all []step) {
		for range steps {
			all = append(all, step{little, 4 << 20, percent, false})
		}
		return all
	}
	join := func(parts ...[]step) (all []step) {
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	for _, test := range []struct {
		name  string
		steps []step
	}{
		{"nothing happens", quiet(3*quietSteps, goPercent)},
		{"busy, with little in use", []step{{much, 4 << 20, 400, false}}},
		{"with next to nothing", []step{{much, 0, maxPercent, false}}},
		{"with much", []step{{much, 1 << 30, goPercent, false}}},
		{"and less", []step{{much, 8 << 20, 200, false}, {much, 4 << 20, 400, false}}},
		{"then quiet: memory goes back, once", join(
			[]step{{much, 1 << 20, maxPercent, false}},
			quiet(quietSteps-1, maxPercent),
			[]step{{little, 4 << 20, goPercent, true}},
			quiet(3*quietSteps, goPercent))},
		{"quiet for too short a time", join(
			[]step{{much, 1 << 20, maxPercent, false}},
			quiet(quietSteps-1, maxPercent),
			[]step{{much, 1 << 20, maxPercent, false}},
			quiet(quietSteps-1, maxPercent))},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := &collector{percent: goPercent}
			for i, s := range test.steps {
				if percent, giveBack := c.step(s.allocated, s.inUse); percent != s.percent || giveBack != s.giveBack {
					t.Fatalf("step %d: %d %%, %v; want %+v", i, percent, giveBack, s)
				}
			}
		})
	}
}
