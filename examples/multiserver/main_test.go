package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// start runs the example until the test is over, and returns its address.
func start(t *testing.T, servers ...string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- run(ctx, "127.0.0.1:0", servers, in) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	_, url, _ := strings.Cut(strings.TrimSpace(line), ": ")
	return url
}

func TestPageAndItsModulesAreServed(t *testing.T) {
	url := start(t, "", "")
	for path, want := range map[string]string{
		"/":                  "page.mjs",
		"/page.mjs":          "BoshSession",
		"/console/bosh.mjs":  "class BoshSession",
		"/console/theme.css": "--accent",
		"/domains":           `{"bus":"bus","domains":[{"name":"tea.localhost","echoes":true},{"name":"cake.localhost","echoes":true}]}`,
	} {
		resp, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 200 || !strings.Contains(string(body), want) {
			t.Errorf("%s: %d without %q", path, resp.StatusCode, want)
		}
	}
}

func TestServersThatMakeNoSenseAreRefused(t *testing.T) {
	for _, servers := range [][]string{{"im.example", ""}, {"=127.0.0.1:5222", ""}, {"im.example=127.0.0.1", ""}, {"a=127.0.0.1:1", "a=127.0.0.1:2"}} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if err := run(ctx, "127.0.0.1:0", servers, io.Discard); err == nil {
			t.Errorf("%q: taken", servers)
		}
		cancel()
	}
}
