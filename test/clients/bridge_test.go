package clients_test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/internal/xmpptest"
)

// TestBridge has examples/bridge join a topic with users of Prosody, each side with its
// own client, over a restart of Prosody: nothing that is published is lost, and nobody
// is told what they said themselves.
func TestBridge(t *testing.T) {
	const component = "bridge." + domain
	prosody := xmpptest.StartProsody(t, &xmpptest.Options{Domain: domain, Users: names(2), Component: component})
	url := startBridge(t, "-xmpp="+prosody.Components, "-domain="+component, "-secret="+xmpptest.Password)
	page := start(t, "", 1, "", javaScript(t, "bus.mjs", url, "news", "Ann")...)
	page.await("online")
	gateway := startGateway(t, prosody.Addr)
	user := start(t, gateway, 1, xmpptest.Password, javaScript(t, "strophe.mjs", "websocket")...)
	user.login(0)

	const text = `<&> "quoted" ' é 😀`
	user.send("news@"+component, text)
	if e := page.wantMessage(text); e.From != jid(1) {
		t.Errorf("it is from %s", e.From)
	}
	page.send("", text)
	page.wantMessage(text)
	if e := user.wantMessage("Ann: " + text); e.From != "news@"+component { // and not what it said itself
		t.Errorf("it is from %s", e.From)
	}
	page.send("", "not \x01 in XML")
	page.await("message")
	user.wantMessage("Ann: not \ufffd in XML")

	// It goes on where it was when the XMPP server is back, with who came back.
	prosody.Stop()
	page.send("", "while it was away")
	page.wantMessage("while it was away")
	if err := prosody.Restart(); err != nil {
		t.Fatal(err)
	}
	user.login(0)
	user.wantMessage("Ann: while it was away")
	user.send("news@"+component, "back")
	page.wantMessage("back")

	user.send("news@"+component, "/leave")
	user.wantMessage("You are told no more.")
	page.send("", "for those who are there")
	page.wantMessage("for those who are there")
	user.send("news@"+component, "here again")
	page.wantMessage("here again")
	page.send("", "welcome")
	page.wantMessage("welcome")
	user.wantMessage("Ann: welcome")
	user.logout()
	page.logout()
}

// startBridge runs the example until the end of the test, and returns its address.
func startBridge(t *testing.T, args ...string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "bridge")
	if out, err := exec.Command("go", "build", "-o", program, "../../examples/bridge").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(program, append([]string{"-listen=127.0.0.1:0"}, args...)...)
	var said lockedBuffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { cmd.Wait(); close(exited) }()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-exited
		if t.Failed() {
			t.Logf("the bridge said:\n%s", said.String())
		}
	})
	if err := said.await("INFO connected", exited, 20*time.Second); err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`http://\S+`).FindString(said.String())
}
