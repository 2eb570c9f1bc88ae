package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// on runs a command against a server, with something on standard input, and
// returns what it prints.
func on(t *testing.T, p *process, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := program(append(args, "--server="+p.url)...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// wantOutput runs a command that must succeed and print this.
func wantOutput(t *testing.T, p *process, want, stdin string, args ...string) {
	t.Helper()
	out, errs, code := on(t, p, stdin, args...)
	if code != 0 || out != want {
		t.Errorf("%q: exit code %d, printed\n%s%s\nwant\n%s", args, code, out, errs, want)
	}
}

// wantFailure runs a command that must fail and say this.
func wantFailure(t *testing.T, p *process, want string, args ...string) {
	t.Helper()
	out, errs, code := on(t, p, "", args...)
	if code != 1 || !strings.Contains(errs, want) {
		t.Errorf("%q: exit code %d, printed\n%s%s\nwant %q", args, code, out, errs, want)
	}
}

const (
	tokenSecret = "a secret of thirty-two bytes ..!\n"
	pushOn      = "--push=on"
)

func TestCommandsOfAClient(t *testing.T) {
	p := start(t)
	p.until("(development mode)")
	wantOutput(t, p, `{"topic":"news","offset":1}`+"\n", "", "pub", "news", `{"a":1}`)
	wantOutput(t, p, `{"topic":"news","offset":2}`+"\n"+`{"topic":"news","offset":3}`+"\n", "two words\n[3]\n", "pub", "news", "--message-key=k")
	wantOutput(t, p, `{"topic":"news","offset":4}`+"\n", "", "pub", "news", "again", "--id=x")
	wantOutput(t, p, `{"topic":"news","offset":4,"duplicate":true}`+"\n", "", "pub", "news", "again", "--id=x")
	last := `{"type":"message","topic":"news","offset":3,"key":"k","data":[3]}` + "\n" + `{"type":"message","topic":"news","offset":4,"data":"again"}` + "\n"
	wantOutput(t, p, last, "", "tail", "--no-follow", "-n", "2", "news")
	wantOutput(t, p, "", "", "presence", "news")
	wantFailure(t, p, "bad-request", "pub", "", "x")
	wantFailure(t, p, "longer than", "pub", strings.Repeat("x", 201), "x")

	// A subscriber prints what comes, in a pipe.
	sub := program("sub", "news", "--history=1", "--server="+p.url)
	pipe, err := sub.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := sub.Start(); err != nil {
		t.Fatal(err)
	}
	defer sub.Process.Kill()
	lines := bufio.NewReader(pipe)
	for _, want := range []string{`"offset":4,"data":"again"`, `"offset":5,"data":"live"`} {
		line, err := lines.ReadString('\n')
		if err != nil || !strings.Contains(line, want) {
			t.Fatalf("%q, %v; want %s", line, err, want)
		}
		if strings.Contains(line, "again") {
			wantOutput(t, p, `{"topic":"news","offset":5}`+"\n", "", "pub", "news", "live")
		}
	}
	if err := sub.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := sub.Wait(); err != nil {
		t.Errorf("told to stop: %v", err)
	}
	if out, _, _ := on(t, p, "", "pub", "--help"); !strings.Contains(out, "--message-key") || strings.Contains(out, "--bosh-wait") {
		t.Errorf("the help is\n%s", out)
	}
	t.Run("without a server", func(t *testing.T) {
		gone := &process{t: t, url: "http://127.0.0.1:1"}
		wantFailure(t, gone, "refused", "pub", "news", "x")
		if _, errs, code := on(t, &process{t: t, url: "nonsense"}, "", "pub", "news", "x"); code != 2 || !strings.Contains(errs, "no URL") {
			t.Errorf("exit code %d: %s", code, errs)
		}
	})
}

// Nothing is allowed until somebody says so.
func TestNothingIsAllowedByDefault(t *testing.T) {
	p := start(t, "--dev=false", pushOn)
	p.until("problem=\"push on: (nobody may do anything)")
	call(t, "POST", p.url+"/push", `{}`).wantStatus(t, 401).wantBody(t, `"unauthorized"`)
	call(t, "POST", p.url+"/push", `{"token":"x"}`).wantStatus(t, 401).wantBody(t, `"unauthorized"`)
	call(t, "POST", p.url+"/http-bind", creation).wantStatus(t, 401).wantBody(t, "policy-violation")
	call(t, "POST", p.url+"/http-bind", creation, "Authorization: Bearer x").wantStatus(t, 401).wantBody(t, "policy-violation")
	call(t, "POST", p.url+"/api/publish", `{"topic":"t","data":1}`).wantStatus(t, 401)
	call(t, "GET", p.url+"/api/openapi.json", "").wantStatus(t, 200).wantBody(t, `"openapi"`)
	wantFailure(t, p, "a token is needed", "pub", "t", "x")
}

func TestTokensAndKeys(t *testing.T) {
	secret := writeFile(t, "secret", tokenSecret)
	keys := writeFile(t, "keys", "# none yet\n")
	config := writeFile(t, "c.toml", `allow = ["users subscribe history on news", "users presence on *"]`)
	p := start(t, "--dev=false", pushOn, "--config="+config, "--token-key="+secret, "--token-audience=push", "--api-keys="+keys,
		"--topic=fixed?publish=server", "--topic=$user/*?history=5")
	token := func(args ...string) string {
		out, errs, code := on2(t, append([]string{"token", "--token-key=" + secret}, args...)...)
		if code != 0 {
			t.Fatalf("%q: %s", args, errs)
		}
		return "--token=" + strings.TrimSpace(out)
	}
	ann := token("ann", "--token-audience=push", "--grant=publish on news", "--grant=publish subscribe on fixed")

	wantOutput(t, p, `{"topic":"news","offset":1}`+"\n", "", "pub", "news", "1", ann)
	wantFailure(t, p, "forbidden: publish is not allowed here", "pub", "other", "1", ann)
	wantFailure(t, p, "forbidden: clients do not publish here", "pub", "fixed", "1", ann)
	wantFailure(t, p, "forbidden: clients do not publish here", "pub", "$all", "1", ann)
	wantFailure(t, p, "the token is for another audience", "pub", "news", "1", token("ann", "--token-audience=mail"))
	wantFailure(t, p, "the token lacks something", "pub", "news", "1", token("ann", "--token-audience=push", "--expires=0s"))
	wantFailure(t, p, "this is no token", "pub", "news", "1", "--token=nonsense")
	wantFailure(t, p, "forbidden", "sub", "other", ann)
	wantFailure(t, p, "unauthorized", "pub", "news", "1", "--key=mk_NONSENSE")

	// A key that is added counts after a reload, and one that is gone does not.
	line, key, code := on2(t, "key", "shop", "--grant=publish history on news $user/*")
	if code != 0 {
		t.Fatal(key)
	}
	replace(t, keys, line)
	reload(t, p)
	key = "--key=" + strings.TrimSpace(key)
	if out, errs, code := on(t, p, "", "pub", "news", "2", key); code != 0 || !strings.Contains(out, `"offset":2`) {
		t.Errorf("%d %s%s", code, out, errs)
	}
	wantFailure(t, p, "the key is not for publish here", "pub", "other", "2", key)
	wantFailure(t, p, "the key is not for presence here", "presence", "news", key)
	replace(t, keys, "nonsense\n")
	p.cmd.Process.Signal(syscall.SIGHUP)
	p.until("(not reloaded)")
	if _, errs, code := on(t, p, "", "pub", "news", "3", key); code != 0 {
		t.Errorf("after a reload that failed: %s", errs)
	}
	replace(t, keys, "")
	replace(t, config, `allow = ["anonymous publish on news"]`)
	reload(t, p)
	wantFailure(t, p, "unauthorized", "pub", "news", "4", key)
	wantOutput(t, p, `{"topic":"news","offset":4}`+"\n", "", "pub", "news", "4")
	wantFailure(t, p, "subscribe is not allowed here", "sub", "news", ann)

	for _, args := range [][]string{
		{"token", "ann"}, {"token", "ann", "--sign-key=" + writeFile(t, "short", "secret")}, {"token", "ann", "--sign-key=nowhere"}, {"token", "ann", "--token-key=" + secret, "--grant=fly on *"},
		{"key", "a b"}, {"key", "x", "--grant=subscribe on *"},
	} {
		if out, _, code := on2(t, args...); code != 1 || out != "" {
			t.Errorf("%q: exit code %d, %s", args, code, out)
		}
	}
}

// on2 runs a command that needs no server.
func on2(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := program(args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run()
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func replace(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func reload(t *testing.T, p *process) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	p.until(`msg=(reloaded)`)
}

// A webhook says who clients are, and what they may do.
func TestWebhook(t *testing.T) {
	app := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch q := string(body); {
		case r.Header.Get("Authorization") != "Bearer hush":
			w.WriteHeader(http.StatusTeapot)
		case strings.Contains(q, `"event":"connect","token":"ann"`):
			io.WriteString(w, `{"user":"ann"}`)
		case strings.Contains(q, `"event":"publish","user":"ann","topic":"mine"`):
			io.WriteString(w, `{"allow":true}`)
		case strings.Contains(q, `"event":"publish"`):
			io.WriteString(w, `{"allow":false}`)
		default:
			w.WriteHeader(http.StatusUnauthorized)
		}
	})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go app.Serve(l)
	defer app.Close()
	p := start(t, "--dev=false", pushOn, "--webhook=http://"+l.Addr().String()+"/hook", "--webhook-secret="+writeFile(t, "hush", "hush\n"))
	wantOutput(t, p, `{"topic":"mine","offset":1}`+"\n", "", "pub", "mine", "1", "--token=ann")
	wantFailure(t, p, "forbidden: publish is not allowed here", "pub", "other", "1", "--token=ann")
	wantFailure(t, p, "unauthorized: the token is not good", "pub", "mine", "1", "--token=bob")
	app.Close()
	wantFailure(t, p, "unavailable: the application cannot be asked now", "pub", "mine", "1", "--token=ann")
}

// Receipts are printed where they are messages, and posted where the application
// wants them.
func TestReceipts(t *testing.T) {
	posted := make(chan string, 1)
	app := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if !strings.HasPrefix(r.Header.Get("webhook-signature"), "v1,") {
			t.Errorf("not signed: %v", r.Header)
		}
		posted <- string(body)
	})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go app.Serve(l)
	defer app.Close()
	p := start(t, "--receipt-webhook=http://"+l.Addr().String()+"/", "--receipt-webhook-secret="+writeFile(t, "hush", "hush"))
	wantOutput(t, p, `{"topic":"news","offset":1}`+"\n", "", "pub", "news", "1", "--receipts=seen", "--id=x")
	wantOutput(t, p, `{"topic":"news","offset":2}`+"\n", "", "pub", "news", "2", "--receipts=$receipts")
	s := newPushSession(t, p)
	s.say(`{"op":"subscribe","topic":"news","history":2}`)
	for s.ack < 3 {
		s.poll()
	}
	s.say(`{"op":"subscribe","topic":"seen","history":2}`) // and acknowledges what was there
	if body := <-posted; !strings.Contains(body, `{"receipts":[{"topic":"news",`) || !strings.Contains(body, `"offset":2`) {
		t.Errorf("posted %s", body)
	}
	out, _, _ := on(t, p, "", "tail", "--no-follow", "-n", "2", "seen")
	for !strings.Contains(out, `"topic":"seen","offset":1,"data":{"topic":"news",`) {
		out, _, _ = on(t, p, "", "tail", "--no-follow", "-n", "2", "seen")
	}
	if !strings.Contains(out, `"id":"x","member":"`) {
		t.Errorf("printed %s", out)
	}
}

// The doctor finds out what is between it and the server.
func TestDoctor(t *testing.T) {
	p := start(t, "--push-wait=2s")
	target, err := url.Parse(p.url)
	if err != nil {
		t.Fatal(err)
	}
	// through runs the doctor through a proxy.
	through := func(t *testing.T, h http.Handler, args ...string) string {
		t.Helper()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		proxy := &http.Server{Handler: h}
		go proxy.Serve(l)
		defer proxy.Close()
		out, errs, _ := on(t, &process{t: t, url: "http://" + l.Addr().String()}, "", append([]string{"doctor"}, args...)...)
		return out + errs
	}
	honest := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }, FlushInterval: -1}
	want := func(t *testing.T, got string, lines ...string) {
		t.Helper()
		for _, line := range lines {
			if !strings.Contains(strings.Join(strings.Fields(got), " "), line) {
				t.Errorf("%q is missing in\n%s", line, got)
			}
		}
	}
	t.Run("nothing wrong", func(t *testing.T) {
		want(t, through(t, honest), "longpoll works there and back", "; a request is held for", "sse works", "websocket works", "; a sign of life after")
	})
	t.Run("no WebSockets, and events held back", func(t *testing.T) {
		want(t, through(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Header.Get("Upgrade") != "":
				http.Error(w, "no", http.StatusForbidden)
			case r.Method == http.MethodGet:
				<-r.Context().Done() // the end of the answer does not come
			default:
				honest.ServeHTTP(w, r)
			}
		}), "--patience=1s"), "sse buffered", "websocket blocked no WebSocket, but 403 Forbidden")
	})
	t.Run("silence is cut", func(t *testing.T) {
		want(t, through(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if !bytes.Contains(body, []byte(`"wait":2`)) {
				r.Body = io.NopCloser(bytes.NewReader(body))
				honest.ServeHTTP(w, r)
				return
			}
			select { // as an impatient proxy does
			case <-time.After(500 * time.Millisecond):
			case <-r.Context().Done():
			}
			w.WriteHeader(http.StatusGatewayTimeout)
		})), "longpoll cut there and back", "; cut after", "sse works", "websocket works")
	})
	t.Run("no server", func(t *testing.T) {
		want(t, through(t, http.NotFoundHandler()), "longpoll blocked refused with not-push: 404 Not Found", "mochibosh: no carrier works")
	})
}
