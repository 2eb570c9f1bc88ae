package deploy

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

// defaults are those of all settings, as docs/operating.md has them, which the
// program's own tests compare with it.
func defaults(t *testing.T) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| (?:`([^`]*)`)? *\\|").FindAllStringSubmatch(text(t, "../../docs/operating.md"), -1) {
		all[m[1]] = m[2]
	}
	if len(all) < 50 {
		t.Fatalf("docs/operating.md has %d settings", len(all))
	}
	return all
}

// wantSettings checks that variables are settings: the program refuses to start
// with others.
func wantSettings(t *testing.T, who string, environment map[string]string) {
	t.Helper()
	known := defaults(t)
	for name := range environment {
		rest, ours := strings.CutPrefix(name, "MOCHIBOSH_")
		if !ours {
			continue
		}
		setting := strings.ReplaceAll(strings.ToLower(rest), "_", "-")
		if _, ok := known[setting]; !ok {
			t.Errorf("%s: there is no setting %s", who, setting)
		}
	}
}

// wantGrace checks that a server that is told to go has the time for it.
func wantGrace(t *testing.T, who string, environment map[string]string, grace time.Duration) {
	t.Helper()
	needs := setting(t, environment, "shutdown-delay") + setting(t, environment, "shutdown-timeout")
	if grace < needs+5*time.Second {
		t.Errorf("%s is given %v to end, and needs %v", who, grace, needs)
	}
}

// setting is a duration, as a variable or the default says.
func setting(t *testing.T, environment map[string]string, name string) time.Duration {
	t.Helper()
	value := environment["MOCHIBOSH_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_"))]
	if value == "" {
		value = defaults(t)[name]
	}
	return duration(t, value)
}

func duration(t *testing.T, value string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(value)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestSilence compares the time-outs in the files with how long the server may
// be silent: a hold is over, with its way, before a proxy loses patience.
func TestSilence(t *testing.T) {
	silence := max(setting(t, nil, "bosh-wait"), setting(t, nil, "push-wait"), setting(t, nil, "websocket-ping"))
	for _, in := range []struct{ file, pattern, unit string }{
		{"nginx/mochibosh/upstream.conf", `proxy_read_timeout (\w+);`, ""},
		{"haproxy/haproxy.cfg", `presetenv MOCHIBOSH_SILENCE +(\w+)`, ""},
		{"kubernetes/ingress.yaml", `proxy-read-timeout: "(\d+)"`, "s"},
	} {
		m := regexp.MustCompile(in.pattern).FindStringSubmatch(text(t, shipped+in.file))
		if m == nil {
			t.Errorf("%s: there is no %s", in.file, in.pattern)
		} else if bears := duration(t, m[1]+in.unit); bears < silence+20*time.Second {
			t.Errorf("%s bears %v of silence, and there may be %v", in.file, bears, silence)
		}
	}
	// And connections are not closed here while a proxy means to use them.
	if idle := setting(t, nil, "idle-timeout"); idle < 2*time.Minute {
		t.Errorf("idle-timeout %v: proxies keep connections for 60s", idle)
	}
}

// TestUnit looks for the settings in the unit of systemd.
func TestUnit(t *testing.T) {
	environment := make(map[string]string)
	for _, m := range regexp.MustCompile(`(?m)^Environment=(\w+)=(.*)$`).FindAllStringSubmatch(text(t, unit), -1) {
		environment[m[1]] = m[2]
	}
	wantSettings(t, "the unit", environment)
	stop := regexp.MustCompile(`TimeoutStopSec=(\w+)`).FindStringSubmatch(text(t, unit))
	if len(environment) == 0 || stop == nil {
		t.Fatal("no settings, or no time to stop")
	}
	wantGrace(t, "the unit", environment, duration(t, stop[1]))
}
