// Command mochibosh is a gateway between browsers and servers: BOSH and
// WebSocket in front of any XMPP server, and push.v1 with an event bus.
//
//	mochibosh serve --listen 127.0.0.1:8888 --xmpp localhost=127.0.0.1:5222?tls=off
//	mochibosh check --config /etc/mochibosh.toml
//	mochibosh pub news '{"hello":"world"}'
//	mochibosh tail news
//
// docs/operating.md has all settings.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	os.Exit(run(ctx, os.Args[1:], reload, os.Stdout, os.Stderr))
}

// run is the program: it returns the exit code. 1 means that something went
// wrong, 2 that the arguments are.
func run(ctx context.Context, args []string, reload <-chan os.Signal, stdout, stderr io.Writer) (code int) {
	defer func() {
		if e, ok := recover().(exit); ok {
			code = int(e)
		}
	}()
	in, err := parse(args, kong.Writers(stdout, stderr), kong.Exit(func(code int) { panic(exit(code)) }))
	if err != nil {
		fmt.Fprintln(stderr, "mochibosh:", err)
		return 2
	}
	switch in.command {
	case "check":
		if !check(ctx, in, stdout) {
			return 1
		}
	case "serve":
		if err := serve(ctx, in, reload, stderr); err != nil && !errors.Is(err, context.Canceled) {
			fmt.Fprintln(stderr, "mochibosh:", err)
			return 1
		}
	default:
		t := &terminal{ctx: ctx, in: in, stdin: os.Stdin, stdout: stdout, stderr: stderr}
		if err := in.kong.Run(t); err != nil {
			fmt.Fprintln(stderr, "mochibosh:", err)
			return 1
		}
	}
	return 0
}

// exit is how kong's own commands, such as --help, leave.
type exit int
