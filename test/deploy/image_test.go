package deploy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/internal/xmpptest"
)

// An instruction is one of the Dockerfile.
type instruction struct {
	Stage, Name string
	Flags, Args []string
}

// An image is what the Dockerfile makes, in a folder.
type image struct {
	root        string
	user        uint32
	environment []string
	entrypoint  []string
	cmd         []string
	health      []string
}

// TestImage makes the image by the steps of the Dockerfile, and runs it in a
// root that has nothing else in it: as nobody, with the settings of the compose
// file, through its health check to its end.
func TestImage(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("needs root, as those do who run containers")
	}
	i := makeImage(t)
	addr, err := xmpptest.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	environment := slices.Clone(i.environment)
	for name, value := range oneNode(t).Services["mochibosh"].Environment {
		environment = append(environment, name+"="+value)
	}
	environment = append(environment, "MOCHIBOSH_LISTEN="+addr)
	if !slices.Contains(i.environment, "MOCHIBOSH_LISTEN=:8888") {
		t.Errorf("the image listens where its health check does not ask: %v", i.environment)
	}

	server := i.command(t, append(slices.Clone(i.entrypoint), i.cmd...), environment)
	said, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(said); s.Scan(); {
			lines <- s.Text()
		}
	}()
	var log strings.Builder
	for line := range lines {
		fmt.Fprintln(&log, line)
		if strings.Contains(line, "msg=listening") {
			break
		}
	}
	t.Cleanup(func() { server.Process.Kill() })

	resp, err := http.Get("http://" + addr + "/healthz")
	if err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("/healthz answered with %s", resp.Status)
	}
	status := text(t, fmt.Sprintf("/proc/%d/status", server.Process.Pid))
	if !regexp.MustCompile(`(?m)^Uid:\s65534\s65534\s65534\s65534$`).MatchString(status) {
		t.Errorf("it does not run as nobody:\n%s", status)
	}
	check := func(addr string) ([]byte, error) {
		return i.command(t, i.health, append(slices.Clone(i.environment), "MOCHIBOSH_SERVER=http://"+addr)).CombinedOutput()
	}
	if out, err := check(addr); err != nil || string(out) != "ok\n" {
		t.Errorf("the health check: %v %s", err, out)
	}
	if out, err := check("127.0.0.1:1"); err == nil {
		t.Errorf("nobody is there, and the health check says %s", out)
	}

	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for line := range lines {
		fmt.Fprintln(&log, line)
	}
	if err := server.Wait(); err != nil {
		t.Errorf("%v\n%s", err, log.String())
	}
	if _, err := os.Stat(i.root + "/var/lib/mochibosh/state"); err != nil {
		t.Errorf("what is to outlive it: %v\n%s", err, log.String())
	}
}

// command runs in the image, and nowhere else.
func (i *image) command(t *testing.T, args, environment []string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	c := exec.CommandContext(ctx, args[0], args[1:]...)
	c.Env, c.Dir = environment, "/"
	c.SysProcAttr = &syscall.SysProcAttr{Chroot: i.root, Credential: &syscall.Credential{Uid: i.user, Gid: i.user}}
	return c
}

// makeImage carries out the steps. The stage that builds is a folder of this
// machine, which has Go as its image does; where a step says /out, that is in it.
func makeImage(t *testing.T) *image {
	var all []instruction
	read(t, &all, "dockerfile", shipped+"docker/Dockerfile")
	building := t.TempDir()
	src := building + "/src"
	i := &image{root: t.TempDir()}
	if err := os.Chmod(filepath.Dir(i.root), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, in := range all {
		final := in.Stage == "scratch"
		step := fmt.Sprintf("%s %q %q", in.Name, in.Flags, in.Args)
		switch {
		case in.Name == "from" && (final || strings.HasPrefix(in.Args[0], "golang:")):
		case in.Name == "workdir" && in.Args[0] == "/src":
			if err := os.Mkdir(src, 0o755); err != nil {
				t.Fatal(err)
			}
		case in.Name == "copy" && !final && in.Args[0] == ".":
			copyContext(t, src)
		case in.Name == "copy" && !final:
			for _, name := range in.Args[:len(in.Args)-1] {
				copyFile(t, "../../"+name, filepath.Join(src, name))
			}
		case in.Name == "run" && !final:
			c := exec.Command("sh", "-e", "-c", strings.ReplaceAll(in.Args[0], " /out/", " "+building+"/out/"))
			c.Dir = src
			if out, err := c.CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", step, err, out)
			}
		case in.Name == "copy":
			i.copy(t, building, in)
		case in.Name == "user":
			uid, _, _ := strings.Cut(in.Args[0], ":")
			n, err := strconv.ParseUint(uid, 10, 32)
			if err != nil || in.Args[0] != uid+":"+uid {
				t.Fatalf("%s: there are no names in an empty image", step)
			}
			i.user = uint32(n)
		case in.Name == "env":
			i.environment = append(i.environment, in.Args[0]+"="+in.Args[1])
		case in.Name == "entrypoint":
			i.entrypoint = in.Args
		case in.Name == "cmd":
			i.cmd = in.Args
		case in.Name == "healthcheck" && in.Args[0] == "CMD":
			i.health = in.Args[1:]
		case in.Name == "expose" && in.Args[0] == "8888", in.Name == "volume" && in.Args[0] == "/var/lib/mochibosh":
		default:
			t.Fatalf("%s: this test does not know what it does", step)
		}
	}
	return i
}

// copy copies from the stage that builds, or else from the system that its image
// has.
func (i *image) copy(t *testing.T, building string, in instruction) {
	t.Helper()
	from, to := building+in.Args[0], i.root+in.Args[1]
	if !strings.HasPrefix(in.Args[0], "/out/") {
		from = in.Args[0]
	}
	info, err := os.Stat(from)
	switch {
	case err != nil:
		t.Fatal(err)
	case !info.IsDir():
		copyFile(t, from, to)
	default:
		if err := os.MkdirAll(to, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if slices.Contains(in.Flags, "--chown=65534:65534") {
		if err := os.Chown(to, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
}

// copyContext copies what the Dockerfile's ignore file leaves of the repository.
func copyContext(t *testing.T, to string) {
	t.Helper()
	var ignored []string
	for line := range strings.Lines(text(t, shipped+"docker/Dockerfile.dockerignore")) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			ignored = append(ignored, line)
		}
	}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, "../../")
		for _, pattern := range ignored {
			base, anywhere := strings.CutPrefix(pattern, "**/")
			matches, err := filepath.Match(base, map[bool]string{true: filepath.Base(name), false: name}[anywhere])
			if err != nil {
				return err
			}
			if matches && d.IsDir() {
				return fs.SkipDir
			}
			if matches {
				return nil
			}
		}
		if d.Type().IsRegular() {
			copyFile(t, path, filepath.Join(to, name))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, info.Mode().Perm())
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
}
