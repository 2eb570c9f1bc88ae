package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A client's request, the question that it leads to, and a call to the API are in
// the traces that their requests name, as a collector is told.
func TestTracing(t *testing.T) {
	sent := make(chan string, 10)
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		sent <- r.URL.Path + " " + r.Header.Get("Api-Key") + " " + string(body)
	}))
	defer collector.Close()
	asked := make(chan string, 10)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Header.Get("Traceparent")
		fmt.Fprintln(w, `{"user":"ann"}`)
	}))
	defer app.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=open%20sesame")
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
	p := start(t, "--dev=false", pushOn, "--webhook="+app.URL)
	const first, second = "0af7651916cd43dd8448eb211c80319c", "1bf7651916cd43dd8448eb211c80319c"
	call(t, "POST", p.url+"/push", `{"token":"x"}`, "Traceparent: 00-"+first+"-b7ad6b7169203331-01").wantStatus(t, 201)
	if got := <-asked; !strings.HasPrefix(got, "00-"+first+"-") || strings.Contains(got, "b7ad6b7169203331") {
		t.Errorf("the application is told of %q", got)
	}
	call(t, "POST", p.url+"/api/publish", `{}`, "Traceparent: 00-"+second+"-b7ad6b7169203331-01").wantStatus(t, 401)
	var all string
	for !strings.Contains(all, first) || !strings.Contains(all, second) {
		all += <-sent
	}
	for _, part := range []string{"/v1/traces open sesame ", `"webhook connect"`, `"POST /api/publish"`, `"parentSpanId":"b7ad6b7169203331"`,
		`"error.type","value":{"stringValue":"unauthorized"}`, `"service.name","value":{"stringValue":"mochibosh"}`, `"deployment.environment.name"`} {
		want(t, "the collector is told", all, part)
	}
}
