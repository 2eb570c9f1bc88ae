package main

import (
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/backends/xmpp"
)

func TestSources(t *testing.T) {
	tests := []struct {
		name      string
		file      string
		env       map[string]string
		args      []string
		setting   string
		want, src string
	}{
		{name: "the default", setting: "max-body", want: "1MiB", src: "default"},
		{name: "the file", file: "max-body = '2MiB'", setting: "max-body", want: "2MiB", src: "file"},
		{name: "the environment before the file", file: "max-body = '2MiB'", env: map[string]string{"MOCHIBOSH_MAX_BODY": "3MiB"},
			setting: "max-body", want: "3MiB", src: "environment"},
		{name: "flags before all", file: "max-body = '2MiB'", env: map[string]string{"MOCHIBOSH_MAX_BODY": "3MiB"}, args: []string{"--max-body=4MiB"},
			setting: "max-body", want: "4MiB", src: "flag"},
		{name: "numbers in the file", file: "max-body = 70000\nbosh-hold = -1", setting: "bosh-hold", want: "-1", src: "file"},
		{name: "durations in the file", file: "bosh-wait = '20s'", setting: "bosh-wait", want: "20s", src: "file"},
		{name: "true in the file", file: "proxy-protocol = true", setting: "proxy-protocol", want: "true", src: "file"},
		{name: "false in the file", file: "bosh-streams = false", setting: "bosh-streams", want: "false", src: "file"},
		{name: "a list in the file", file: "xmpp = ['a.example=1.2.3.4:5222?tls=off', 'b.example']", setting: "xmpp", want: "a.example=1.2.3.4:5222?tls=off,b.example", src: "file"},
		{name: "one instead of a list", file: "xmpp = 'a.example'", setting: "xmpp", want: "a.example", src: "file"},
		{name: "a list in the environment", env: map[string]string{"MOCHIBOSH_XMPP": "a.example,b.example"}, setting: "xmpp", want: "a.example,b.example", src: "environment"},
		{name: "a list in flags", args: []string{"--xmpp=a.example", "--xmpp", "b.example"}, setting: "xmpp", want: "a.example,b.example", src: "flag"},
		{name: "a list is replaced, not added to", file: "xmpp = ['a.example', 'c.example']", args: []string{"--xmpp=b.example"}, setting: "xmpp", want: "b.example", src: "flag"},
		{name: "a switch in the environment", env: map[string]string{"MOCHIBOSH_BOSH_REPORT": "true"}, setting: "bosh-report", want: "true", src: "environment"},
		{name: "Go's own variable", env: map[string]string{"GOGC": "150"}, file: "gc-percent = 120", setting: "gc-percent", want: "150", src: "environment"},
		{name: "our variable before Go's own", env: map[string]string{"GOMEMLIMIT": "3GiB", "MOCHIBOSH_MEMORY_LIMIT": "2TiB"}, setting: "memory-limit", want: "2TiB", src: "environment"},
		{name: "no limit", env: map[string]string{"GOMEMLIMIT": "3GiB"}, args: []string{"--memory-limit=off"}, setting: "memory-limit", want: "off", src: "flag"},
		{name: "a switch off", args: []string{"--no-bosh-streams"}, setting: "bosh-streams", want: "false", src: "flag"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			args := append([]string{"check"}, test.args...)
			if test.file != "" {
				args = append(args, "--config", writeFile(t, "c.toml", test.file))
			}
			for name, value := range test.env {
				t.Setenv(name, value)
			}
			in, err := parse(args)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range in.values {
				if s.name == test.setting && (s.value != test.want || s.source != test.src) {
					t.Errorf("%s from %s, want %s from %s", s.value, s.source, test.want, test.src)
				}
			}
		})
	}
	t.Run("the file's own name in the environment", func(t *testing.T) {
		t.Setenv("MOCHIBOSH_CONFIG", writeFile(t, "c.toml", "bosh-hold = 2"))
		if in, err := parse([]string{"serve"}); err != nil || in.BOSHHold != 2 {
			t.Errorf("%v", err)
		}
	})
}

func TestMistakesAreErrors(t *testing.T) {
	tests := []struct {
		name string
		file string
		env  string // NAME=value
		args []string
		want string
	}{
		{name: "an unknown flag", args: []string{"--bosh-weit=1s"}, want: "unknown flag --bosh-weit"},
		{name: "an unknown name in the file", file: "bosh-weit = '1s'", want: `no setting is called "bosh-weit"`},
		{name: "a section in the file", file: "[bosh]\nwait = '1s'", want: "bosh is neither"},
		{name: "a file in the file", file: "config = 'x'", want: `no setting is called "config"`},
		{name: "no TOML", file: "bosh-wait: 1s", want: "configuration file"},
		{name: "no file", args: []string{"--config=/does/not/exist"}, want: "no such file"},
		{name: "an unknown variable", env: "MOCHIBOSH_BOSH_WEIT=1s", want: "MOCHIBOSH_BOSH_WEIT: no such setting"},
		{name: "no duration", env: "MOCHIBOSH_BOSH_WAIT=long", want: "duration"},
		{name: "no number in the file", file: "bosh-hold = 1.5", want: "whole number"},
		{name: "no size", args: []string{"--max-body=many"}, want: "no size"},
		{name: "no choice", args: []string{"--log-format=xml"}, want: "must be one of"},
		{name: "no network", args: []string{"--trusted-proxies=proxy.example"}, want: "trusted-proxies"},
		{name: "no origin", args: []string{"--allow-origin=https://a.example/"}, want: "allow-origin"},
		{name: "no URL", args: []string{"--public-url=gw.example"}, want: "public-url"},
		{name: "no time at all", args: []string{"--connect-timeout=0"}, want: "connect-timeout"},
		{name: "a certificate without key", args: []string{"--tls-cert=a.pem"}, want: "tls-key"},
		{name: "TLS without certificate", args: []string{"--tls-listen=:0"}, want: "tls-listen"},
		{name: "no address to listen on", args: []string{"--listen=8888"}, want: "listen"},
		{name: "nothing to listen on", args: []string{"--listen=off"}, want: "no address"},
		{name: "no percentage", args: []string{"--gc-percent=0"}, want: "no percentage"},
		{name: "no percentage of Go's own", env: "GOGC=much", want: "no percentage"},
		{name: "no memory limit", args: []string{"--memory-limit=2"}, want: "memory-limit"},
		{name: "no collection at all", args: []string{"--gc-percent=off"}, want: "needs memory-limit"},
		{name: "development for everybody", args: []string{"--dev", "--listen=0.0.0.0:0"}, want: "dev: "},
		{name: "development on all addresses", args: []string{"--dev", "--listen=:8888"}, want: "dev: "},
		{name: "a rule for nobody known", args: []string{"--allow=all publish on *"}, want: "allow"},
		{name: "a rule without topics", args: []string{"--allow=users publish"}, want: "allow"},
		{name: "a pattern that is none", args: []string{"--allow=users publish on a*b"}, want: "only be at its end"},
		{name: "a topic option that is none", args: []string{"--topic=t?histroy=1"}, want: "histroy"},
		{name: "a topic option twice", args: []string{"--topic=t?history=1&history=2"}, want: "twice"},
		{name: "a topic pattern that is none", args: []string{"--topic=a*b"}, want: "a*b"},
		{name: "no policy", args: []string{"--topic=t?slow=fast"}, want: "slow=fast"},
		{name: "no rate", args: []string{"--topic=t?rate=0"}, want: "rate=0"},
		{name: "no age", args: []string{"--topic=t?age=-1s"}, want: "age=-1s"},
		{name: "no number", args: []string{"--topic=t?history=none"}, want: "history=none"},
		{name: "no size", args: []string{"--topic=t?max-message=big"}, want: "max-message=big"},
		{name: "neither on nor off", args: []string{"--topic=t?presence=maybe"}, want: "presence=maybe"},
		{name: "no time for the webhook", args: []string{"--webhook-timeout=0s"}, want: "webhook-timeout"},
		{name: "a grace below zero", args: []string{"--token-grace=-1s"}, want: "token-grace"},
		{name: "nothing to serve", args: []string{"--push=off"}, want: "nothing to serve"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			args := append([]string{"check"}, test.args...)
			if test.file != "" {
				args = append(args, "--config="+writeFile(t, "c.toml", test.file))
			}
			if name, value, ok := strings.Cut(test.env, "="); ok {
				t.Setenv(name, value)
			}
			if _, err := parse(args); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestTopicSettings(t *testing.T) {
	for spec, want := range map[string]bus.TopicRule{
		"news":                                     {Pattern: "news"},
		"chat/*?history=200&age=24h&bytes=1MiB":    {Pattern: "chat/*", History: 200, Age: 24 * time.Hour, Bytes: 1 << 20},
		"now/*?history=off&slow=drop-oldest":       {Pattern: "now/*", History: -1, Slow: bus.DropOldest},
		"*?slow=latest-per-key&max-message=4KiB":   {Pattern: "*", Slow: bus.LatestPerKey, MaxMessage: 4 << 10},
		"*?rate=.5&burst=3&slow=end":               {Pattern: "*", Rate: .5, Burst: 3},
		"*?publish=server&presence=off&events=off": {Pattern: "*", ServerOnly: true, NoPresence: true, NoEvents: true},
		"*?publish=clients&presence=on&users=off":  {Pattern: "*"},
		"chat/*?users=on&events=on":                {Pattern: "chat/*", ShowUsers: true},
	} {
		if got, err := parseTopic(spec); err != nil || got != want {
			t.Errorf("%s: %+v, %v", spec, got, err)
		}
	}
}

func FuzzParseTopic(f *testing.F) {
	f.Add("chat/*?history=200&age=24h&bytes=1MiB&rate=.5")
	f.Fuzz(func(t *testing.T, spec string) {
		if r, err := parseTopic(spec); err == nil && (r.Pattern == "" || r.Rate < 0 || r.Burst < 0 || r.MaxMessage < 0) {
			t.Errorf("%q is %+v", spec, r)
		}
	})
}

func TestRoutes(t *testing.T) {
	tests := []struct {
		spec string
		want xmpp.Route
	}{
		{"a.example", xmpp.Route{}},
		{"A.Example=10.0.0.1", xmpp.Route{Addr: "10.0.0.1:5222"}},
		{"a.example=xmpp.a.example:5299", xmpp.Route{Addr: "xmpp.a.example:5299"}},
		{"a.example=[::1]:5222?tls=off", xmpp.Route{Addr: "[::1]:5222", TLS: xmpp.NoTLS}},
		{"a.example=::1?tls=off", xmpp.Route{Addr: "[::1]:5222", TLS: xmpp.NoTLS}},
		{"a.example=10.0.0.1?tls=direct&name=x.example", xmpp.Route{Addr: "10.0.0.1:5223", TLS: xmpp.DirectTLS, ServerName: "x.example"}},
		{"a.example?tls=starttls&name=x.example", xmpp.Route{ServerName: "x.example"}},
	}
	for _, test := range tests {
		if domain, got, err := parseRoute(test.spec); err != nil || domain != "a.example" || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %s %+v %v, want %+v", test.spec, domain, got, err, test.want)
		}
	}
	for spec, want := range map[string]string{
		"":                               "no domain",
		"=127.0.0.1:5222":                "no domain",
		"user@a.example":                 "no domain",
		"a.example=":                     "no address",
		"a.example=h:port:1":             "no address",
		"a.example=h:99999":              "no address",
		"a.example=h?tls=maybe":          "neither off, starttls nor direct",
		"a.example=h?tls=off&tls=direct": "twice",
		"a.example=h?what=ever":          "no option",
		"a.example?tls=direct":           "needs an address",
		"a.example=h?tls=off&name=x":     "no meaning",
		"a.example=h?ca=/does/not/exist": "no such file",
	} {
		if _, _, err := parseRoute(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", spec, err, want)
		}
	}
	if _, err := parseRoutes([]string{"a.example", "A.example=h"}); err == nil {
		t.Error("one domain, two routes")
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]size{"1": 1, "65536": 65536, "64KiB": 65536, " 1 MiB ": 1 << 20, "12B": 12, "1GiB": 1 << 30} {
		var got size
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q: %d %v", text, got, err)
		}
	}
	for _, text := range []string{"", "0", "-1", "1.5MiB", "1MB", "2GiB", "99999999999"} {
		var got size
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q: %d", text, got)
		}
	}
}

func TestCheck(t *testing.T) {
	run := func(args ...string) (string, int) {
		out, err := program(append([]string{"check"}, args...)...).CombinedOutput()
		if _, bad := err.(*exec.ExitError); err != nil && !bad {
			t.Fatal(err)
		}
		if err != nil {
			return string(out), err.(*exec.ExitError).ExitCode()
		}
		return string(out), 0
	}
	cert, key := certificate(t, "gw.example")
	t.Run("what is well", func(t *testing.T) {
		out, code := run("--xmpp=a.example=127.0.0.1:5222?tls=off", "--xmpp=b.example=localhost:5223?tls=direct&name=x.example", "--tls-listen=127.0.0.1:8443", "--tls-cert="+cert, "--tls-key="+key)
		for _, want := range []string{"bosh-wait +1m0s +default", "a.example: without TLS", "127.0.0.1:5222", "b.example: direct TLS, as x.example", `\[gw.example\] until 2`} {
			if !regexp.MustCompile(want).MatchString(out) {
				t.Errorf("%q is missing in\n%s", want, out)
			}
		}
		if code != 0 {
			t.Errorf("exit code %d", code)
		}
	})
	t.Run("what does not resolve", func(t *testing.T) {
		out, code := run("--xmpp=a.example=nowhere.invalid:5222")
		if code != 1 || !strings.Contains(out, "Errors:\n  xmpp a.example: lookup nowhere.invalid") {
			t.Errorf("exit code %d\n%s", code, out)
		}
	})
	t.Run("what is wrong", func(t *testing.T) {
		if out, code := run("--bosh-weit=1s"); code != 2 || !strings.Contains(out, "bosh-weit") {
			t.Errorf("exit code %d\n%s", code, out)
		}
		if out, code := run("--tls-listen=127.0.0.1:0", "--tls-cert="+cert, "--tls-key="+cert); code != 1 || !strings.Contains(out, "tls-cert") {
			t.Errorf("exit code %d\n%s", code, out)
		}
		if out, code := run("--token-key="+cert, "--api-keys="+cert, "--webhook-secret=nowhere", "--webhook=https://app.example/"); code != 1 ||
			!strings.Contains(out, "nowhere") || !strings.Contains(out, "api-keys") {
			t.Errorf("exit code %d\n%s", code, out)
		}
	})
	t.Run("C-16 what is dubious", func(t *testing.T) {
		out, code := run("--listen=0.0.0.0:5061", "--xmpp=a.example=192.0.2.1:5222?tls=off", "--bosh-inactivity=30s", "--push=on", "--allow-origin=*", "--allow=anybody publish on *",
			"--trusted-proxies=0.0.0.0/0", "--public-url=http://gw.example", "--max-body=100KiB", "--idle-timeout=10s")
		for _, want := range []string{
			"browsers refuse to connect to port 5061", "passwords travel in clear", "bosh-inactivity", "any page may do what", "whoever gets here may publish in *", "anybody may claim any address", "https only", "does not fit in", "idle-timeout",
		} {
			if !strings.Contains(out, want) {
				t.Errorf("%q is missing in\n%s", want, out)
			}
		}
		if code != 0 {
			t.Errorf("exit code %d: all of it works", code)
		}
	})
}

// docs/operating.md has every setting, with its default, and no other.
func TestSettingsAreDocumented(t *testing.T) {
	in, err := parse([]string{"serve"})
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := make(map[string]string)
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9-]+)` \\| ([^|]*) \\|").FindAllStringSubmatch(string(data), -1) {
		documented[m[1]] = strings.Trim(m[2], "`")
	}
	for _, s := range in.values {
		got, ok := documented[s.name]
		if !ok || got != s.value {
			t.Errorf("%s: documented as %q (%v), its default is %q", s.name, got, ok, s.value)
		}
		delete(documented, s.name)
	}
	for name := range documented {
		t.Errorf("%s is documented, and does not exist", name)
	}
}
