// Command chaos runs clients of every carrier through a network that goes
// wrong, and counts what gets lost, doubled or out of order.
//
//	go run ./bench/chaos
//
// The senders number their messages, the receivers check number and content.
// It fails if a single message is not there once, whole, and in its place. See
// docs/reliability.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"time"

	"github.com/mochibosh/mochibosh/internal/chaos"
	"github.com/mochibosh/mochibosh/internal/xmpptest"
)

func main() {
	if err := command(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

func command(args []string, out, errOut io.Writer) error {
	flags := flag.NewFlagSet("chaos", flag.ExitOnError)
	messages := flags.Uint64("messages", 50_000, "messages in each direction on each carrier")
	clients := flags.Int("clients", 16, "clients at the same time")
	seed := flags.Uint64("seed", 1, "seed of the faults")
	bad := flags.Float64("bad", 1, "how bad the network is: 1 damages an exchange in ten, 0 none")
	only := flags.String("only", "", "run these only: a regular `EXPRESSION` for their names")
	verbose := flags.Bool("v", false, "log what the server logs")
	if err := flags.Parse(args); err != nil {
		return err
	}
	wanted, err := regexp.Compile("^(" + *only + ")$")
	if *only == "" {
		wanted, err = regexp.MustCompile(""), nil
	}
	if err != nil {
		return err
	}
	logger := slog.New(slog.DiscardHandler)
	if *verbose {
		logger = slog.New(slog.NewTextHandler(errOut, nil))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	fmt.Fprintln(out, heading)
	var failed []string
	for _, s := range setups() {
		if !wanted.MatchString(s.name) {
			continue
		}
		s.clients, s.seed, s.logger = *clients, *seed, logger
		s.messages = max(1, *messages/uint64(s.clients))
		s.network.Exchanges = s.network.Exchanges.Scaled(*bad)
		s.network.Pieces = s.network.Pieces.Scaled(*bad)
		o, err := run(ctx, s)
		if err != nil {
			return err
		}
		fmt.Fprintln(out, o.row())
		fmt.Fprintf(errOut, "%s: %v; %d times behind, %d empty answers, %d repeated, %d sessions\n", s.name, &o.counts, o.full, o.empty, o.repeated, o.sessions)
		for _, err := range o.errors {
			fmt.Fprintf(errOut, "%s: %v\n", s.name, err)
		}
		if !o.faultless() {
			failed = append(failed, s.name)
		}
	}
	if failed != nil {
		return fmt.Errorf("not faultless: %s", strings.Join(failed, ", "))
	}
	return ctx.Err()
}

// setups are the runs there are.
func setups() []setup {
	bad := chaos.Options{Exchanges: chaos.Bad, Pieces: chaos.BadStream, MaxDelay: 100 * time.Millisecond, ReplayAfter: 3 * time.Second}
	// A client of BOSH lets the server forget its answers only when no copy of
	// their requests can be on the way.
	const small, patient = 64 << 10, 1 << 20
	all := []string{"long-poll", "SSE", "WebSocket"}
	// Our JavaScript client acknowledges at once, and XEP-0124 §14.3 ends a
	// session of which an old request comes again after that. To strophe.js an
	// answer is lost that goes to a copy of its request; it takes answers as they
	// come, and repeats a request after a little more than the wait.
	single := bad
	single.Exchanges = bad.Exchanges.Without(chaos.Duplicate, chaos.Replay)
	cut := func(s setup) setup {
		s.name, s.cut, s.every = s.name+", cut", 2*time.Second, 10*time.Second
		return s
	}
	boshes := setup{name: "BOSH", kind: "bosh", outbox: patient, network: bad}
	moving := setup{name: "moving", kind: "push", outbox: small, carriers: all, stay: 500 * time.Millisecond, network: bad}
	polls := setup{name: "long-poll", kind: "push", outbox: small, carriers: all[:1], network: bad}
	streams := setup{name: "SSE", kind: "push", outbox: small, carriers: all[1:2], network: bad}
	sockets := setup{name: "WebSocket", kind: "push", outbox: small, carriers: all[2:], network: bad}
	users := setup{name: "bus, moving, in session after session", kind: "push", bus: true, life: 4 * time.Second, outbox: small, carriers: all, stay: 500 * time.Millisecond, network: bad}
	return []setup{
		boshes,
		polls,
		streams,
		sockets,
		moving,
		cut(boshes),
		cut(polls),
		cut(streams),
		cut(sockets),
		cut(moving),
		{name: "bus, BOSH", kind: "bosh", bus: true, outbox: patient, network: bad},
		users,
		cut(users),
		{name: "XMPP over BOSH, Prosody", kind: "bosh", xmpp: xmpptest.NewProsody, outbox: patient, network: bad},
		{name: "XMPP over BOSH, ejabberd", kind: "bosh", xmpp: xmpptest.NewEjabberd, outbox: patient, network: bad},
		{name: "strophe.js, Prosody", kind: "strophe", anyOrder: true, wait: 5 * time.Second, xmpp: xmpptest.NewProsody, outbox: patient, network: single},
		{name: "strophe.js, ejabberd", kind: "strophe", anyOrder: true, wait: 5 * time.Second, xmpp: xmpptest.NewEjabberd, outbox: patient, network: single},
		{name: "JavaScript, BOSH", kind: "js", outbox: patient, carriers: []string{"BOSH"}, network: single},
		{name: "JavaScript, long-poll", kind: "js", outbox: small, carriers: all[:1], network: bad},
		{name: "JavaScript, SSE", kind: "js", outbox: small, carriers: all[1:2], network: bad},
		{name: "JavaScript, WebSocket", kind: "js", outbox: small, carriers: all[2:], network: bad},
		{name: "JavaScript, moving", kind: "js", outbox: small, carriers: all, stay: 500 * time.Millisecond, network: bad},
	}
}
