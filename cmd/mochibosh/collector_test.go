package main

import "testing"

func TestCollector(t *testing.T) {
	const MB = 1 << 20
	type step struct {
		allocated, inUse uint64
		percent          int
		giveBack         bool
	}
	quiet := func(steps int, allocated, inUse uint64, percent int) (all []step) {
		for range steps {
			all = append(all, step{allocated, inUse, percent, false})
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
		{"nothing happens", join(
			quiet(quietSteps-1, 0, 4*MB, goPercent),
			quiet(3*quietSteps, 0, 4*MB, minPercent))},
		{"busy, with little in use", []step{{2 * MB, 4 * MB, 400, false}}},
		{"with next to nothing", []step{{2 * MB, 0, maxPercent, false}}},
		{"with much", []step{{2 * MB, 1 << 30, goPercent, false}}},
		{"and less", []step{{2 * MB, 8 * MB, 200, false}, {2 * MB, 4 * MB, 400, false}}},
		{"then quiet: memory goes back, once", join(
			[]step{{2 * MB, MB, maxPercent, false}},
			quiet(quietSteps-1, 0, 4*MB, maxPercent),
			[]step{{0, 4 * MB, minPercent, true}},
			quiet(3*quietSteps, 0, 4*MB, minPercent))},
		{"nearly quiet: collected once a minute, or when it has doubled", join(
			[]step{{2 * MB, MB, maxPercent, false}},
			quiet(quietSteps-1, MB, 200*MB, maxPercent),
			[]step{{MB, 200 * MB, 50, true}},
			quiet(quietSteps-1, MB, 100*MB, 50),
			quiet(quietSteps, MB, 50*MB, goPercent))},
		{"quiet for too short a time", join(
			[]step{{2 * MB, MB, maxPercent, false}},
			quiet(quietSteps-1, 0, MB, maxPercent),
			[]step{{2 * MB, MB, maxPercent, false}},
			quiet(quietSteps-1, 0, MB, maxPercent))},
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
