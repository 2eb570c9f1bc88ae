// Package mochibosh is the root of the module; it holds no code. This test
// keeps the house in order: which package may import which.
package mochibosh_test

import (
	"encoding/json"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/mochibosh/mochibosh"

// layers says what each package of the library may import of the module and
// of others, the standard library apart. Imports point one way: adapters and
// backends know the core, the core knows neither; no adapter knows another.
// A pattern that ends in / stands for everything below it.
var layers = map[string][]string{
	"transport": {"github.com/google/uuid"},

	"internal/": {},
	// How a handler waits, and the server that lets it wait without a goroutine.
	"internal/park":  {"internal/pipelined"},
	"internal/httpd": {"internal/park"},
	"internal/otlp":  {"go.opentelemetry.io/otel/attribute", "go.opentelemetry.io/otel/codes", "go.opentelemetry.io/otel/sdk/trace"},
	// Both for tests only: requests that park, and a server with every carrier.
	"internal/parktest": {"internal/park"},
	"internal/pushtest": {"transport", "transport/", "websocket", "internal/memnet", "github.com/gorilla/"},

	"transport/push":     {"transport", "internal/"},
	"transport/longpoll": {"transport", "transport/push", "internal/"},
	"transport/sse":      {"transport", "transport/push", "internal/"},
	"websocket":          {"transport", "transport/push", "internal/", "github.com/gorilla/websocket"},
	"bosh":               {"transport", "internal/"},

	"discovery": {"internal/"},

	// Whose a session is, where several processes share them.
	"nodes": {"transport", "internal/park", "github.com/google/uuid", "github.com/nats-io/nats.go", "github.com/nats-io/nats.go/"},

	"auth":          {"transport"},
	"auth/webhook":  append([]string{"auth"}, tracing...),
	"auth/webtoken": {"auth", "github.com/golang-jwt/jwt/v5"},

	"backends/":               {"transport", "internal/", "github.com/google/uuid"},
	"backends/bus/enginetest": {"backends/bus"},
	// Only the second knows the server of NATS, which is large.
	"backends/jetstream":          {"backends/bus", "backends/bus/webpush", "transport", "github.com/google/uuid", "github.com/nats-io/nats.go", "github.com/nats-io/nats.go/"},
	"backends/jetstream/embedded": {"github.com/nats-io/nats.go", "github.com/nats-io/nats-server/v2/"},
	// The bus knows what its clients may do, and not who says so.
	"backends/bus":             {"transport", "auth", "internal/", "github.com/google/uuid"},
	"backends/bus/api":         append([]string{"backends/bus", "auth", "transport", "internal/"}, tracing...),
	"backends/bus/receipthook": append([]string{"backends/bus"}, tracing...),
	"backends/bus/webpush":     {"backends/bus", "auth", "internal/", "github.com/golang-jwt/jwt/v5"},
	// The PROXY protocol, towards XMPP servers.
	"backends/xmpp": {"transport", "internal/", "github.com/pires/go-proxyproto"},

	"web": {},
}

// tracing is what spans are made with, of OpenTelemetry: the interface only, for
// which nothing is done until somebody brings what is behind it.
var tracing = []string{"go.opentelemetry.io/otel/trace", "go.opentelemetry.io/otel/attribute", "go.opentelemetry.io/otel/codes", "go.opentelemetry.io/otel/propagation"}

// wiring may import everything.
var wiring = []string{"demo", "cmd/", "test/", "examples/", "bench/"}

func TestImportsPointOneWay(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		if name == "" || matches(wiring, name) {
			continue
		}
		allowed, ok := rule(name)
		if !ok {
			t.Errorf("%s is in no layer: give it one in this test", name)
			continue
		}
		for _, imp := range p.Imports {
			local, ours := strings.CutPrefix(imp, module+"/")
			if (ours || isForeign(imp)) && !matches(allowed, local) {
				t.Errorf("%s imports %s, which its layer does not allow", name, local)
			}
		}
	}
}

// The library can change without breaking anyone as long as one file knows it.
func TestOneFileKnowsTheWebSocketLibrary(t *testing.T) {
	out, err := exec.Command("grep", "-rlF", `"github.com/gorilla/websocket"`, "websocket", "--include=*.go", "--exclude=*_test.go").Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Fields(string(out)); len(got) != 1 {
		t.Errorf("%d files import gorilla/websocket: %v", len(got), got)
	}
}

// Who embeds sessions and carriers builds nothing of OpenTelemetry, and who has the
// API or a webhook as well only its interface.
func TestTracingIsInNobodysWay(t *testing.T) {
	for packages, without := range map[string]string{
		"./transport/... ./websocket ./bosh ./auth ./backends/bus":     "go.opentelemetry.io/",
		"./backends/bus/api ./backends/bus/receipthook ./auth/webhook": "go.opentelemetry.io/otel/sdk",
	} {
		out, err := exec.Command("go", append([]string{"list", "-deps"}, strings.Fields(packages)...)...).Output()
		if err != nil {
			t.Fatalf("go list: %v", err)
		}
		for _, p := range strings.Fields(string(out)) {
			if strings.HasPrefix(p, without) {
				t.Errorf("%s needs %s", packages, p)
			}
		}
	}
}

type goPackage struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) (all []goPackage) {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := d.Decode(&p); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// rule returns what a package may import: its own line, or that of the
// closest folder above it.
func rule(name string) ([]string, bool) {
	if allowed, ok := layers[name]; ok {
		return allowed, true
	}
	for dir := name; strings.Contains(dir, "/"); {
		dir = dir[:strings.LastIndexByte(dir, '/')]
		if allowed, ok := layers[dir+"/"]; ok {
			return allowed, true
		}
	}
	return nil, false
}

func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		return p == name || strings.HasSuffix(p, "/") && strings.HasPrefix(name, p)
	})
}

// isForeign tells other modules from the standard library, whose paths have
// no dot in their first element.
func isForeign(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return strings.Contains(first, ".")
}
