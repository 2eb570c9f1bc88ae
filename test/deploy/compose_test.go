package deploy

import (
	"testing"
	"time"
)

// A project is what Compose makes of a file, as far as it is looked at here.
type project struct {
	Services map[string]struct {
		Image           string
		Environment     map[string]string
		Build           *struct{ Context, Dockerfile string }
		StopGracePeriod string `json:"stop_grace_period"`
		ReadOnly        bool   `json:"read_only"`
		DependsOn       map[string]any
		Networks        map[string]*struct{ Aliases []string }
	}
}

func oneNode(t *testing.T) (p project) {
	t.Helper()
	read(t, &p, "compose", shipped+"docker/one-node.yaml", "SITE=push.example.org", "EMAIL=you@example.org")
	return p
}

func threeNodes(t *testing.T) (p project) {
	t.Helper()
	read(t, &p, "compose", shipped+"docker/three-nodes.yaml")
	return p
}

func TestCompose(t *testing.T) {
	for name, p := range map[string]project{"one node": oneNode(t), "three nodes": threeNodes(t)} {
		t.Run(name, func(t *testing.T) {
			servers := 0
			for name, s := range p.Services {
				if s.Image != "mochibosh" {
					continue
				}
				servers++
				if s.Build == nil || s.Build.Dockerfile != "deploy/docker/Dockerfile" {
					t.Errorf("%s is built from %+v", name, s.Build)
				}
				wantSettings(t, name, s.Environment)
				grace, err := time.ParseDuration(s.StopGracePeriod)
				if err != nil {
					t.Fatal(err)
				}
				wantGrace(t, name, s.Environment, grace)
				if name == "mochibosh" {
					continue
				}
				if s.Environment["MOCHIBOSH_NODE"] != name {
					t.Errorf("%s is called %s", name, s.Environment["MOCHIBOSH_NODE"])
				}
				if n := s.Networks["default"]; n == nil || len(n.Aliases) != 1 || n.Aliases[0]+":8888" != p.Services["haproxy"].Environment["MOCHIBOSH_UPSTREAM"] {
					t.Errorf("HAProxy does not find %s", name)
				}
			}
			if want := map[string]int{"one node": 1, "three nodes": 3}[name]; servers != want {
				t.Errorf("%d servers, want %d", servers, want)
			}
		})
	}
}
