package deploy

import (
	"maps"
	"strings"
	"testing"
	"time"
)

// An object is one of Kubernetes, as far as it is looked at here.
type object struct {
	Kind     string
	Metadata struct {
		Name        string
		Annotations map[string]string
	}
	Data map[string]string // of a ConfigMap
	Spec struct {
		Replicas int
		Selector any
		Template struct {
			Metadata struct{ Labels map[string]string }
			Spec     struct {
				TerminationGracePeriodSeconds int
				EnableServiceLinks            *bool
				Containers                    []container
			}
		}
		Ports []struct{ TargetPort string }
	}
}

type container struct {
	Name    string
	EnvFrom []struct{ ConfigMapRef struct{ Name string } }
	Env     []struct{ Name, Value string }
	Ports   []struct {
		Name          string
		ContainerPort int
	}
	LivenessProbe, ReadinessProbe struct {
		HTTPGet struct{ Path, Port string }
	}
}

func TestKubernetes(t *testing.T) {
	var all []object
	read(t, &all, "kubernetes", shipped+"kubernetes")
	find := func(kind, name string) object {
		t.Helper()
		for _, o := range all {
			if o.Kind == kind && (o.Metadata.Name == name || strings.HasPrefix(o.Metadata.Name, name+"-")) {
				return o
			}
		}
		t.Fatalf("there is no %s %s", kind, name)
		return object{}
	}

	settings := find("ConfigMap", "settings")
	d := find("Deployment", "mochibosh")
	pod := d.Spec.Template.Spec
	c := pod.Containers[0]
	if d.Spec.Replicas != 3 || len(c.EnvFrom) != 1 || c.EnvFrom[0].ConfigMapRef.Name != settings.Metadata.Name {
		t.Errorf("not three with their settings: %+v", d)
	}
	environment := maps.Clone(settings.Data)
	for _, e := range c.Env {
		environment[e.Name] = e.Value
	}
	wantSettings(t, "the deployment", environment)
	wantGrace(t, "the deployment", environment, time.Duration(pod.TerminationGracePeriodSeconds)*time.Second)
	if pod.EnableServiceLinks == nil || *pod.EnableServiceLinks {
		t.Error("variables of services are taken for settings")
	}

	// What is selected by labels and by names of ports is there.
	labels := d.Spec.Template.Metadata.Labels
	for _, kind := range []string{"Service", "PodDisruptionBudget"} {
		selector, _ := find(kind, "mochibosh").Spec.Selector.(map[string]any)
		if inner, ok := selector["matchLabels"].(map[string]any); ok {
			selector = inner
		}
		if len(selector) == 0 {
			t.Errorf("%s selects nothing", kind)
		}
		for name, value := range selector {
			if labels[name] != value {
				t.Errorf("%s selects %s=%s, which the pods are not", kind, name, value)
			}
		}
	}
	port := c.Ports[0].Name
	if c.Ports[0].ContainerPort != 8888 || find("Service", "mochibosh").Spec.Ports[0].TargetPort != port ||
		c.LivenessProbe.HTTPGet.Port != port || c.ReadinessProbe.HTTPGet.Port != port {
		t.Errorf("not all go to port %s", port)
	}
	if c.LivenessProbe.HTTPGet.Path != "/healthz" || c.ReadinessProbe.HTTPGet.Path != "/readyz?exclude=full" {
		t.Errorf("the probes ask for %s and %s", c.LivenessProbe.HTTPGet.Path, c.ReadinessProbe.HTTPGet.Path)
	}
}
