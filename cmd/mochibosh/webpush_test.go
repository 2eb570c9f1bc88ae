package main

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The file of keys is its owner's alone, and is not written over.
func TestVapid(t *testing.T) {
	file := filepath.Join(t.TempDir(), "vapid.pem")
	public, err := program("vapid", file).Output()
	if err != nil || len(public) != 88 {
		t.Fatalf("%q, %v", public, err)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if out, err := program("vapid", file).CombinedOutput(); err == nil || !strings.Contains(string(out), "exists") {
		t.Errorf("written over: %s", out)
	}
	if private, err := program("vapid").Output(); err != nil || !strings.HasPrefix(string(private), "-----BEGIN PRIVATE KEY-----") {
		t.Errorf("%s, %v", private, err)
	}
}

// The whole way: a user registers what the browser subscribed to, the server is
// restarted, and a message of another server's reaches the push service, which then
// says that the browser is gone.
func TestWebPush(t *testing.T) {
	asked := make(chan *http.Request, 9)
	service := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(asked) == 0 {
			w.WriteHeader(http.StatusCreated)
		} else {
			w.WriteHeader(http.StatusGone)
		}
		asked <- r
	}))
	defer service.Close()
	secret := writeFile(t, "secret", strings.Repeat("s", 32))
	args := append(webPushArgs(t, service), "--token-key="+secret, "--state-dir="+t.TempDir())
	token, err := program("token", "ann", "--token-key="+secret).Output()
	if err != nil {
		t.Fatal(err)
	}

	p := start(t, args...)
	call(t, "GET", p.url+"/push/web", "").wantStatus(t, 200).wantBody(t, `{"key":"B`)
	call(t, "POST", p.url+"/push/web", subscriptionOf(t, service.URL+"/ann")).wantStatus(t, 401)
	registerBrowser(t, p, string(token), subscriptionOf(t, service.URL+"/ann"))
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-p.exited

	p = start(t, args...)
	out, errs, code := on(t, p, "", "pub", "$user/ann", "1", "--key=any", `--web-push={"title":"Hi","urgency":"high"}`)
	if code != 0 || !strings.Contains(out, `"offset":1`) {
		t.Errorf("%d: %s%s", code, out, errs)
	}
	metrics := func() string { return call(t, "GET", p.url+"/metrics", "").body }
	for !strings.Contains(metrics(), `mochibosh_web_push_total{result="sent"} 1`) {
	}
	call(t, "POST", p.url+"/api/publish-to-user", `{"user":"ann","data":2,"push":{"title":"Gone?"}}`).wantStatus(t, 200)
	for !strings.Contains(metrics(), `mochibosh_web_push_total{result="expired"} 1`) {
	}
	call(t, "POST", p.url+"/api/publish-to-user", `{"user":"ann","data":3,"push":{"title":"Nobody"}}`).wantStatus(t, 200)
	for !strings.Contains(metrics(), "mochibosh_web_push_waiting 0") {
	}
	if n := len(asked); n != 2 {
		t.Errorf("asked %d times", n)
	}
	got := <-asked
	if got.URL.Path != "/ann" || got.Header.Get("Urgency") != "high" || !strings.HasPrefix(got.Header.Get("Authorization"), "vapid t=") {
		t.Errorf("%s %v", got.URL, got.Header)
	}
	call(t, "POST", p.url+"/api/publish", `{"topic":"t","data":1,"push":{}}`).wantStatus(t, 400).wantBody(t, "neither title, body nor data")
}

// webPushArgs are of a server that may notify browsers by way of this service.
func webPushArgs(t *testing.T, service *httptest.Server) []string {
	t.Helper()
	vapid := filepath.Join(t.TempDir(), "vapid.pem")
	if err := program("vapid", vapid).Run(); err != nil {
		t.Fatal(err)
	}
	ca := writeFile(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: service.Certificate().Raw})))
	return []string{"--web-push-key=" + vapid, "--web-push-subject=mailto:ops@chat.example", "--web-push-host=127.0.0.1",
		"--web-push-network=127.0.0.0/8", "--web-push-ca=" + ca}
}

// registerBrowser has a server notify a browser of who has this token.
func registerBrowser(t *testing.T, p *process, token, subscription string) {
	t.Helper()
	r, err := http.NewRequest("POST", p.url+"/push/web", strings.NewReader(subscription))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(token))
	resp, err := http.DefaultClient.Do(r)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%v, %v", resp, err)
	}
	resp.Body.Close()
}

func TestWebPushIsOff(t *testing.T) {
	p := start(t)
	call(t, "GET", p.url+"/push/web", "").wantStatus(t, 404)
	call(t, "POST", p.url+"/api/publish", `{"topic":"t","data":1,"push":{"title":"Hi"}}`).wantStatus(t, 400).wantBody(t, "there is no Web Push here")
}

// subscriptionOf is what a browser gives a page, for an endpoint.
func subscriptionOf(t *testing.T, endpoint string) string {
	t.Helper()
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	return fmt.Sprintf(`{"endpoint":%q,"keys":{"p256dh":%q,"auth":%q}}`, endpoint, encode(key.PublicKey().Bytes()), encode(make([]byte, 16)))
}
