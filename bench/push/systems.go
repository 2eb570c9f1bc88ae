//go:build linux

package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/mochibosh/mochibosh/bench/programs"
)

// A system is a server and a carrier that it offers.
type system struct{ name, carrier string }

func (s system) String() string { return s.name + ", " + s.carrier }

func (s system) ours() bool { return s.name == mochibosh }

// polls reports whether each message takes a request.
func (s system) polls() bool { return s.carrier == longPoll || s.carrier == bosh }

const (
	mochibosh  = "mochibosh"
	nchan      = "nchan"
	centrifuge = "centrifuge"
	socketio   = "socket.io"
	floorRaw   = "floor: plain sockets"
	floorHTTP  = "floor: net/http"
	floorWS    = "floor: gorilla/websocket"
	floorNginx = "floor: nginx, return 200"

	longPoll  = "long-poll"
	bosh      = "BOSH"
	sse       = "SSE"
	webSocket = "WebSocket"
	publish   = "HTTP" // nobody is subscribed
)

// Systems in the order of a turn: what is compared is close in time.
var systems = []system{
	{floorRaw, longPoll}, {floorHTTP, longPoll}, {nchan, longPoll}, {socketio, longPoll}, {mochibosh, longPoll},
	{mochibosh, bosh},
	{floorRaw, sse}, {floorHTTP, sse}, {nchan, sse}, {centrifuge, sse}, {mochibosh, sse},
	{floorRaw, webSocket}, {floorWS, webSocket}, {nchan, webSocket}, {centrifuge, webSocket}, {socketio, webSocket}, {mochibosh, webSocket},
	{floorRaw, publish}, {floorHTTP, publish}, {floorNginx, publish}, {nchan, publish}, {centrifuge, publish}, {socketio, publish}, {mochibosh, publish},
}

// dialect is what bench/pushload calls it.
func (s system) dialect() string {
	family := map[string]string{mochibosh: "mochibosh", centrifuge: "centrifuge", socketio: "socketio", floorNginx: "bare"}[s.name]
	if family == "" {
		family = "plain"
	}
	return family + "-" + map[string]string{longPoll: "lp", bosh: "bosh", sse: "sse", webSocket: "ws", publish: "http"}[s.carrier]
}

const (
	centrifugeFolder = "bench/peers/centrifuge"
	socketioFolder   = "bench/peers/socketio"
)

// The part of a system whose use counts.
const server = "server"

// start runs a system from nothing.
func start(ctx context.Context, dir string, sys system, hold time.Duration) (r *programs.Running, addr string, err error) {
	r = programs.New()
	floor := func(kind string) (string, error) {
		return r.Announced(server, exec.CommandContext(ctx, filepath.Join(dir, "floor"), "-kind", kind, "-hold", hold.String()))
	}
	switch sys.name {
	case mochibosh:
		addr, err = r.Gateway(ctx, dir, server, "--dev", "--push-wait", hold.String(), "--bosh-wait", hold.String())
	case nchan, floorNginx:
		addr, err = startNginx(ctx, r, dir, hold)
	case centrifuge:
		addr, err = r.Announced(server, exec.CommandContext(ctx, filepath.Join(dir, "centrifuge"), "-hold", hold.String()))
	case socketio:
		addr, err = r.Announced(server, exec.CommandContext(ctx, "node", filepath.Join(socketioFolder, "server.mjs"), fmt.Sprint(hold.Milliseconds())))
	case floorRaw:
		addr, err = floor("raw")
	case floorHTTP:
		addr, err = floor("nethttp")
	case floorWS:
		addr, err = floor("gorilla")
	}
	if err != nil {
		r.Stop()
	}
	return r, addr, err
}
