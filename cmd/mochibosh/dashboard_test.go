package main

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/transport"
)

// exposed returns all metrics that the program can have, with their labels.
func exposed(t *testing.T) map[string][]string {
	t.Helper()
	m, sessions := newMetrics(), newRegister()
	m.watch(transport.NewManager(nil), sessions, &transport.Budget{Bytes: 1})
	m.watchBus(bus.New(nil), bus.NewMemory(nil))
	m.watchWebPush(nil)
	m.watchNode(nil)
	descs := make(chan *prometheus.Desc)
	go func() {
		m.registry.Describe(descs)
		close(descs)
	}()
	all := make(map[string][]string)
	form := regexp.MustCompile(`fqName: "([^"]+)".*variableLabels: \{([^}]*)\}`)
	for d := range descs {
		f := form.FindStringSubmatch(d.String())
		if f == nil {
			t.Fatalf("%v makes no sense", d)
		}
		all[f[1]] = strings.FieldsFunc(f[2], func(r rune) bool { return r == ',' || r == ' ' })
	}
	return all
}

// leftOut are metrics that the dashboard does without, and why.
var leftOut = map[string]string{}

// docs/operating.md has every metric with its labels, and no other.
func TestMetricsAreDocumented(t *testing.T) {
	data, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := make(map[string]bool)
	all := exposed(t)
	for _, m := range regexp.MustCompile("(?m)^\\| (`mochibosh_[^|]*) \\| ([^|]*) ?\\| [^|]*\\|$").FindAllStringSubmatch(string(data), -1) {
		labels := strings.FieldsFunc(m[2], func(r rune) bool { return r == ',' || r == ' ' })
		for _, name := range strings.Split(m[1], ", ") {
			name = strings.Trim(name, "`")
			documented[name] = true
			if got, ok := all[name]; !ok || !slices.Equal(got, labels) {
				t.Errorf("%s is documented with labels %q, and has %q (%v)", name, labels, got, ok)
			}
		}
	}
	for name := range all {
		if strings.HasPrefix(name, "mochibosh_") && !documented[name] {
			t.Errorf("%s is not documented", name)
		}
	}
}

// A dashboard, as far as it is checked.
type dashboard struct {
	Panels []struct {
		Title   string
		Targets []struct{ Expr, LegendFormat string }
	}
}

// The dashboard asks for metrics and labels that there are, and leaves none out
// without a reason.
func TestDashboard(t *testing.T) {
	data, err := os.ReadFile("../../deploy/grafana/mochibosh.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	all, used := exposed(t), make(map[string]bool)
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			asked, err := readExpr(target.Expr, all)
			if err != "" {
				t.Errorf("%s: %s: %s", p.Title, target.Expr, err)
			}
			for _, name := range asked.metrics {
				used[name] = true
			}
			for _, l := range regexp.MustCompile(`\{\{(\w+)\}\}`).FindAllStringSubmatch(target.LegendFormat, -1) {
				if !slices.Contains(asked.grouped, l[1]) {
					t.Errorf("%s: the legend has %s, which %s does not keep", p.Title, l[1], target.Expr)
				}
			}
		}
	}
	for name := range all {
		if strings.HasPrefix(name, "mochibosh_") && used[name] == (leftOut[name] != "") {
			t.Errorf("%s: used %v, left out for %q", name, used[name], leftOut[name])
		}
	}
}

// What the small reader below takes for mistakes, it has to find.
func TestExpressionsAreRead(t *testing.T) {
	all := map[string][]string{"a_total": {"x"}, "b_seconds": {"y"}}
	for expr, want := range map[string]string{
		`sum by (x) (rate(a_total{instance=~"$instance",x="1"}[$__rate_interval]))`: "",
		`histogram_quantile(0.95, sum by (le, y) (rate(b_seconds_bucket[5m])))`:     "",
		`sum(rate(b_seconds_count[5m])) / sum(rate(b_seconds_sum[5m])) * 2`:         "",
		`sum(rate(c_total[5m]))`:         "c_total is no metric",
		`sum(rate(a[5m]))`:               "a is no metric",
		`sum(rate(a_total_sum[5m]))`:     "a_total_sum is no metric",
		`sum(rate(a_total{y="1"}[5m]))`:  "a_total has no label y",
		`sum by (y) (rate(a_total[5m]))`: "nothing has the label y",
		`sum(rate(a_total[5m])`:          "brackets do not match",
		`sum(rate(a_total{x="1}[5m]))`:   "a text does not end",
	} {
		if _, got := readExpr(expr, all); got != want {
			t.Errorf("%s: %q, want %q", expr, got, want)
		}
	}
}

// An asked expression has metrics, and the labels by which it grouping.
type asked struct{ metrics, grouped []string }

var (
	texts    = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	ranges   = regexp.MustCompile(`\[[^\]]*\]`)
	grouping = regexp.MustCompile(`\bby \(([^)]*)\)`)
	selector = regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_]*)\s*(\{[^}]*\}|\()?`)
	matcher  = regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)`)
)

var functions = []string{"sum", "max", "min", "rate", "increase", "histogram_quantile"}

// readExpr reads as much of PromQL as the dashboard has, and says what is wrong.
func readExpr(expr string, all map[string][]string) (a asked, wrong string) {
	expr = ranges.ReplaceAllString(texts.ReplaceAllString(expr, ""), "")
	if strings.Contains(expr, `"`) {
		return a, "a text does not end"
	}
	for _, pair := range []string{"()", "{}", "[]"} {
		if strings.Count(expr, pair[:1]) != strings.Count(expr, pair[1:]) {
			return a, "brackets do not match"
		}
	}
	for _, g := range grouping.FindAllStringSubmatch(expr, -1) {
		a.grouped = append(a.grouped, strings.Split(strings.ReplaceAll(g[1], " ", ""), ",")...)
	}
	labels := []string{"instance", "job", "le"}
	for _, s := range selector.FindAllStringSubmatch(grouping.ReplaceAllString(expr, ""), -1) {
		if slices.Contains(functions, s[1]) {
			continue
		}
		name := s[1]
		if base := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, ""); all[name] == nil && !strings.HasSuffix(base, "_total") && all[base] != nil {
			name = base
		}
		has, ok := all[name]
		if !ok {
			return a, name + " is no metric"
		}
		a.metrics, labels = append(a.metrics, name), append(labels, has...)
		for _, m := range matcher.FindAllStringSubmatch(s[2], -1) {
			if !slices.Contains(has, m[1]) && !slices.Contains(labels[:3], m[1]) {
				return a, name + " has no label " + m[1]
			}
		}
	}
	for _, l := range a.grouped {
		if !slices.Contains(labels, l) {
			return a, "nothing has the label " + l
		}
	}
	return a, ""
}
