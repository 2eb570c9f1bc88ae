package docs_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A document is one that is read from its beginning to its end, by somebody with a
// folder of its own, in place of /etc/mochibosh and the like, and a port in place of
// 8888.
type document struct {
	t       *testing.T
	dir     string
	env     []string
	address string
	serving *exec.Cmd
	dev     bool     // everybody may do everything there
	running []func() // ends what goes on, and looks whether it did
	server  []string // what a server is started with, if the document starts none itself
	known   map[string]string
}

// servers are those that documents without `mochibosh serve` rely on.
var servers = map[string][]string{
	"docs/webpush.md": {"--web-push-key=server.pem", "--web-push-subject=mailto:ops@chat.example", "--state-dir=state"},
}

func newDocument(t *testing.T, file, bin string) *document {
	d := &document{t: t, dir: t.TempDir(), address: freeAddress(t), server: servers[file], known: make(map[string]string)}
	repository, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	d.env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "REPOSITORY="+repository, "GOBIN="+d.dir+"/bin",
		"MOCHIBOSH_LISTEN="+d.address, "MOCHIBOSH_SERVER=http://"+d.address, "KEY=anything")
	if err := d.furnish(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.stop)
	return d
}

func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

var places = strings.NewReplacer(
	"/etc/mochibosh/", "etc/",
	"/etc/ejabberd/", "etc/",
	"/var/lib/mochibosh", "state",
	"http://localhost:8888", "http://ADDRESS",
	"localhost:8888", "ADDRESS",
	"127.0.0.1:8888", "ADDRESS",
	// Of this checkout, whether it is published or not.
	"go install github.com/mochibosh/mochibosh/cmd/mochibosh@latest", "(cd $REPOSITORY && go install ./cmd/mochibosh)",
)

// here returns a text with places of its own.
func (d *document) here(text string) string {
	return strings.ReplaceAll(places.Replace(text), "ADDRESS", d.address)
}

var (
	serves = regexp.MustCompile(`^mochibosh serve\b`)
	asks   = regexp.MustCompile(`^(curl|mochibosh (pub|sub|tail|presence|doctor|health)\b)`)
)

// Commands that take minutes, and measure or test what is here: that they are there.
var (
	benchmark = regexp.MustCompile(`^go test -run (\S+) (?:-bench (\S+))?.*?((?: \./\S+)+)$`)
	makes     = regexp.MustCompile(`^make \S+`)
)

// statement runs a command as a shell would.
func (d *document) statement(t *testing.T, s string, forEver bool) error {
	s, _, _ = strings.Cut(s, "   #") // the remark behind it
	s = strings.TrimSpace(s)
	switch {
	case makes.MatchString(s):
		_, err := d.command("cd $REPOSITORY && make --dry-run " + strings.TrimPrefix(s, "make "))
		return err
	case benchmark.MatchString(s):
		return d.lists(benchmark.FindStringSubmatch(s))
	case serves.MatchString(s):
		return d.serve(s)
	case forEver:
		if !d.dev {
			if err := d.serve("mochibosh serve --dev"); err != nil {
				return err
			}
		}
		return d.goOn(s)
	}
	// What fails should: curl does not by itself.
	out, err := d.command(strings.ReplaceAll(s, "curl ", "curl --fail-with-body "))
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// lists finds out whether there are such tests or benchmarks.
func (d *document) lists(m []string) error {
	name := m[2]
	if name == "" {
		name = m[1]
	}
	name = strings.Trim(name, "'")
	if name, _, _ = strings.Cut(name, "/"); name == "." {
		name = "Benchmark"
	}
	out, err := d.command("cd $REPOSITORY && go test -list '" + name + "'" + m[3])
	if err == nil && !strings.Contains(out, "Benchmark") && !strings.Contains(out, "Test") {
		err = fmt.Errorf("nothing is called so: %s", out)
	}
	return err
}

// limit is how long a command may take.
const limit = 2 * time.Minute

func (d *document) shell(ctx context.Context, s string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "bash", "-c", "set -euo pipefail\n"+d.here(fill(s, d.known)))
	cmd.Dir, cmd.Env = d.dir, d.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	return cmd
}

// command runs a command, and returns what it says.
func (d *document) command(s string) (string, error) {
	if asks.MatchString(s) && d.serving == nil { // the document has no other
		if err := d.serve("mochibosh serve --dev " + strings.Join(d.server, " ")); err != nil {
			return "", err
		}
	}
	if strings.HasSuffix(s, "&") || strings.Contains(s, "& ") && !strings.Contains(s, "&&") {
		s, _, _ = strings.Cut(s, "&")
		return "", d.goOn(s)
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := d.shell(ctx, s)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%w\n%s", err, &complaint)
	}
	return out.String(), nil
}

// serve starts a server in place of the one before, and waits until it listens.
func (d *document) serve(s string) error {
	d.stop()
	cmd := d.shell(context.Background(), "exec "+s)
	said, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	var log strings.Builder
	for lines := bufio.NewScanner(said); lines.Scan(); {
		fmt.Fprintln(&log, lines.Text())
		if strings.Contains(lines.Text(), "msg=listening") {
			d.serving, d.dev = cmd, strings.Contains(s, "--dev")
			go func() {
				for lines.Scan() {
				}
			}()
			return nil
		}
	}
	return errors.Join(errors.New("it does not listen"), cmd.Wait(), errors.New(log.String()))
}

// stop ends the server, and before it what talks to it.
func (d *document) stop() {
	for _, end := range d.running {
		end()
	}
	d.running = nil
	if d.serving != nil {
		d.serving.Cancel()
		d.serving.Wait()
		d.serving = nil
	}
}

// goOn starts a command that ends only when it is ended.
func (d *document) goOn(s string) error {
	cmd := d.shell(context.Background(), s)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	d.running = append(d.running, func() {
		select {
		case err := <-ended:
			d.t.Errorf("%s\nended: %v\n%s", s, err, &said)
		default:
			cmd.Cancel()
			<-ended
		}
	})
	return nil
}

// ---- what a transcript says

var capitals = regexp.MustCompile(`\b[A-Z]{3,}\b`)

// fill puts in what words in capitals stand for, as far as it is known.
func fill(s string, known map[string]string) string {
	return capitals.ReplaceAllStringFunc(s, func(name string) string {
		if value, ok := known[name]; ok {
			return value
		}
		return name
	})
}

// compare compares an answer with what the document says. "…" stands for anything,
// also for lines; words in capitals for what the server made up.
func (d *document) compare(want, got string) error {
	var names []string
	pattern := capitals.ReplaceAllStringFunc(regexp.QuoteMeta(strings.TrimSpace(want)), func(name string) string {
		if value, ok := d.known[name]; ok {
			return regexp.QuoteMeta(value)
		}
		names = append(names, name)
		return `([^"\s]+)`
	})
	pattern = strings.ReplaceAll(pattern, "…", "(?s:.*)")
	found := regexp.MustCompile("^" + pattern + "$").FindStringSubmatch(strings.TrimSpace(got))
	if found == nil {
		return fmt.Errorf("said %s\nnot  %s", got, fill(want, d.known))
	}
	for i, name := range names {
		d.known[name] = found[i+1]
	}
	return nil
}
