package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// grammar is the command line.
type grammar struct {
	Config   string   `placeholder:"FILE" help:"Configuration file in TOML: the names of the flags, without dashes in front."`
	Settings settings `embed:""`

	Serve    struct{}         `cmd:"" help:"Serve until SIGTERM. SIGHUP reads certificates, routes, rules and keys again."`
	Check    struct{}         `cmd:"" help:"Check the settings and explain them."`
	Pub      pubCommand       `cmd:"" help:"Publish in a topic."`
	Sub      subCommand       `cmd:"" help:"Print what is published in topics, one JSON object a line."`
	Tail     tailCommand      `cmd:"" help:"Print the last messages of topics, and what comes."`
	Presence presenceCommand  `cmd:"" help:"Print who is present in a topic."`
	Token    tokenCommand     `cmd:"" help:"Make a token for a user."`
	Key      keyCommand       `cmd:"" help:"Make a key for the API, or for the admin page."`
	Vapid    vapidCommand     `cmd:"" help:"Make keys for Web Push."`
	Doctor   doctorCommand    `cmd:"" help:"Say what the network between here and a server does to each carrier."`
	Health   healthCommand    `cmd:"" help:"Ask a server how it is: for the health checks of containers."`
	Version  kong.VersionFlag `env:"-" help:"Print the version."`
}

// groups are the headings of the help.
var groups = map[string]string{
	"net":    "Network:",
	"xmpp":   "XMPP:",
	"bosh":   "BOSH:",
	"push":   "push.v1 and the event bus:",
	"auth":   "Permission on the event bus:",
	"limits": "Limits:",
	"ops":    "Operation:",
	"state":  "What outlives the process:",
	"nats":   "More than one server, on NATS:",
}

const envPrefix = "MOCHIBOSH_"

// An invocation is what was asked for: a command, and its settings.
type invocation struct {
	settings
	command string        // its name
	kong    *kong.Context // to run it with
	args    []string      // to be read again
	values  []setting     // every one, in the order of the help
}

// A setting is one value as it came out.
type setting struct {
	name, value string
	source      string // "flag", "environment", "file" or "default"
}

// parse reads arguments, environment and file. What is said twice counts as
// the first of them says it.
func parse(args []string, options ...kong.Option) (*invocation, error) {
	var g grammar
	file := &fileResolver{path: configPath(args)}
	options = append(options,
		kong.Name("mochibosh"),
		kong.Description("BOSH and WebSocket in front of XMPP servers, and push for browsers."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true}),
		kong.ExplicitGroups(headings()),
		kong.Help(help),
		kong.DefaultEnvars(strings.TrimSuffix(envPrefix, "_")),
		kong.Resolvers(file),
		defaults(), kong.Vars{"version": version()},
	)
	parser, err := kong.New(&g, options...)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(unknownEnvironment(parser.Model.Node), file.read()); err != nil {
		return nil, err
	}
	ctx, err := parser.Parse(args)
	if err != nil {
		return nil, err
	}
	in := &invocation{settings: g.Settings, command: ctx.Selected().Name, kong: ctx, args: args}
	given := make(map[*kong.Flag]bool)
	for _, p := range ctx.Path {
		if p.Flag != nil && !p.Resolved {
			given[p.Flag] = true
		}
	}
	for _, f := range parser.Model.Flags {
		if f.Name == "help" || f.Name == "version" {
			continue
		}
		s := setting{f.Name, display(f), "default"}
		switch {
		case given[f]:
			s.source = "flag"
		case isSet(f):
			s.source = "environment"
		case file.has(f.Name):
			s.source = "file"
		}
		in.values = append(in.values, s)
	}
	if !in.serves() {
		return in, nil // it may be used where nothing could be served
	}
	return in, in.validate()
}

// serves reports whether the command is about the settings of a server.
func (in *invocation) serves() bool { return in.command == "serve" || in.command == "check" }

// help leaves the settings of the server out where they are not what the
// command is about.
func help(o kong.HelpOptions, ctx *kong.Context) error {
	if n := ctx.Selected(); n != nil && n.Name != "serve" && n.Name != "check" {
		for _, f := range ctx.Model.Flags {
			f.Hidden = f.Hidden || f.Group != nil && !(n.Name == "token" && strings.HasPrefix(f.Name, "token-"))
		}
	}
	return kong.DefaultHelpPrinter(o, ctx)
}

func headings() (all []kong.Group) {
	for _, key := range []string{"net", "xmpp", "bosh", "push", "auth", "limits", "ops", "state"} {
		all = append(all, kong.Group{Key: key, Title: groups[key]})
	}
	return all
}

func display(f *kong.Flag) string {
	if list, ok := f.Target.Interface().([]string); ok {
		return strings.Join(list, ",")
	}
	return fmt.Sprint(f.Target.Interface())
}

// configPath finds the file before anything else is read: what it says is
// needed to know whether the rest is complete.
func configPath(args []string) string {
	for i, a := range args {
		if a == "--" {
			break
		}
		if v, ok := strings.CutPrefix(a, "--config="); ok {
			return v
		}
		if a == "--config" && i+1 < len(args) {
			return args[i+1]
		}
	}
	return os.Getenv(envPrefix + "CONFIG")
}

func isSet(f *kong.Flag) bool {
	return slices.ContainsFunc(f.Envs, func(name string) bool { _, ok := os.LookupEnv(name); return ok })
}

// unknownEnvironment reports variables that look like ours and are not.
func unknownEnvironment(app *kong.Node) error {
	known := make(map[string]bool)
	for _, node := range append(app.Children, app) {
		for _, f := range node.Flags {
			for _, name := range f.Envs {
				known[name] = true
			}
		}
	}
	var errs []error
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, envPrefix) && !known[name] {
			errs = append(errs, fmt.Errorf("environment variable %s: no such setting", name))
		}
	}
	return errors.Join(errs...)
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "mochibosh"
	}
	return "mochibosh " + info.Main.Version + " " + info.GoVersion
}
