package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/mochibosh/mochibosh/backends/bus/api"
	"github.com/mochibosh/mochibosh/bosh"
	"github.com/mochibosh/mochibosh/discovery"
	"github.com/mochibosh/mochibosh/internal/clientaddr"
	"github.com/mochibosh/mochibosh/transport/longpoll"
	"github.com/mochibosh/mochibosh/transport/push"
	"github.com/mochibosh/mochibosh/transport/sse"
	"github.com/mochibosh/mochibosh/web"
	"github.com/mochibosh/mochibosh/websocket"
)

// Where the endpoints are.
const (
	pathBOSH      = "/http-bind"
	pathWebSocket = "/xmpp-websocket"
	pathPush      = "/push"
	pathConsole   = "/console/"
	pathClient    = "/mochi/"
	pathDoctor    = "/push/doctor/"
)

// handlers returns all endpoints, for clients and for other nodes. Requests come to
// them as their clients made them, whatever proxies are between.
func (g *gateway) handlers() (outer, inner http.Handler) {
	// No path is cleaned and redirected: a browser repeats a POST as a GET then.
	r := mux.NewRouter().SkipClean(true).UseEncodedPath()
	fixed := make(map[string]http.Handler)
	route := func(name string, h http.Handler, paths ...string) {
		h = g.observed(name, h)
		for _, p := range paths {
			r.Handle(p, h)
			fixed[p] = h
		}
	}
	s := g.settings
	if len(s.XMPP) > 0 || s.Push != "off" {
		route("bosh", g.admin.marked(g.bosh()), pathBOSH, pathBOSH+"/")
	}
	if len(s.XMPP) > 0 {
		route("websocket", g.refuse(g.xmppWebSocket()), pathWebSocket, pathWebSocket+"/")
		route("host-meta", discovery.NewHandler(g.links), discovery.Path, discovery.PathJSON)
	}
	if s.Push != "off" {
		options := &push.Options{
			Wait:         s.PushWait,
			Ping:         s.PushWait,
			Inactivity:   s.PushInactivity,
			Window:       s.PushWindow,
			MaxBody:      int(s.PushMaxBody),
			MaxDepth:     s.MaxDepth,
			BodyTimeout:  s.BodyTimeout,
			BodyRate:     s.bodyRate(),
			WriteTimeout: s.WriteTimeout,
			Origins:      s.AllowOrigin,
			Guard:        g.allowed.guard,
			Forward:      g.cluster.forward(),
			Logger:       g.logger,
		}
		route("longpoll", g.only(s.Push, g.admin.marked(longpoll.NewHandler(g.manager, options))), pathPush)
		route("sse", g.only(s.Push, g.admin.marked(sse.NewHandler(g.manager, options))), pathPush+"/sse")
		sockets := websocket.NewHandler(g.manager, &websocket.Options{Push: options, Compression: s.WebSocketCompress, CompressFrom: s.WebSocketCompressFrom})
		route("push-websocket", g.only(s.Push, g.admin.marked(g.refuse(sockets))), pathPush+"/ws")
		if g.pusher != nil {
			route("web-push", g.only(s.Push, g.webPush()), pathWebPush)
		}
		route("api", g.only(s.Push, g.api), api.Paths()...)
		r.PathPrefix(api.Path).Handler(g.observed("api", g.only(s.Push, g.api))) // which says that there is nothing
		r.Handle(strings.TrimSuffix(pathDoctor, "/"), http.RedirectHandler(pathDoctor, http.StatusFound))
		r.PathPrefix(pathDoctor).Handler(g.observed("doctor", g.only(s.Push, pages(pathDoctor, web.Doctor, ownPolicy))))
		r.PathPrefix(pathClient).Handler(g.observed("client", g.only(s.Push, g.shared(pages(pathClient, web.Client, ownPolicy)))))
	}
	if g.admin != nil {
		route("admin", g.only(s.Push, g.admin), adminPaths()...)
		r.Handle(strings.TrimSuffix(pathAdmin, "/"), http.RedirectHandler(pathAdmin, http.StatusFound))
		r.PathPrefix(pathAdmin).Handler(g.observed("admin", g.only(s.Push, g.admin.page(web.Admin))))
	}
	route("healthz", http.HandlerFunc(g.healthz), "/healthz")
	route("readyz", http.HandlerFunc(g.readyz), "/readyz")
	if s.Metrics != "off" {
		route("metrics", g.only(s.Metrics, g.metrics.handler()), "/metrics")
	}
	if s.Console != "off" {
		r.PathPrefix(pathConsole).Handler(g.observed("console", g.only(s.Console, console())))
	}
	r.NotFoundHandler = g.observed("other", http.HandlerFunc(g.notFound))
	proxies, _ := s.proxies() // validated
	all := answeredBy(r, fixed)
	return s.boundedHeader(clientaddr.Handler(all, proxies, clientaddr.Header(s.Forwarded))), forwarded(all)
}

// answeredBy has the router find who answers, and no more: it would make two
// copies of each request to tell them what it knows, which nobody here asks for.
// It tries one pattern after the other, so those whose path is what it is, which
// are asked most, are found without it.
func answeredBy(router *mux.Router, fixed map[string]http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := fixed[r.URL.Path]; h != nil && r.URL.RawPath == "" {
			h.ServeHTTP(w, r)
			return
		}
		var m mux.RouteMatch
		router.Match(r, &m) // there always is one
		m.Handler.ServeHTTP(w, r)
	})
}

func (g *gateway) bosh() http.Handler {
	s := g.settings
	o := &bosh.Options{
		XMPP:         g.serves,
		NoStreams:    !s.BOSHStreams,
		OpeningWait:  s.BOSHOpeningWait,
		Wait:         s.BOSHWait,
		Hold:         s.BOSHHold,
		Requests:     s.BOSHRequests,
		Inactivity:   s.BOSHInactivity,
		MaxPause:     s.BOSHMaxPause,
		Polling:      s.BOSHPolling,
		Repeats:      s.BOSHRepeats,
		Report:       s.BOSHReport,
		MaxBody:      int(s.MaxBody),
		BodyRate:     s.bodyRate(),
		MaxPayloads:  s.MaxPayloads,
		MaxDepth:     s.MaxDepth,
		CompressFrom: s.BOSHCompressFrom,

		MaxAttributes: s.MaxAttributes,

		BodyTimeout:  s.BodyTimeout,
		WriteTimeout: s.WriteTimeout,
		Origins:      s.AllowOrigin,
		Forward:      g.cluster.forward(),
		Logger:       g.logger,
	}
	if len(s.XMPP) == 0 {
		o.DefaultTo = s.PushTarget
	}
	if g.allowed != nil {
		o.SignIn = g.allowed.guard.SignIn
	}
	return bosh.NewHandler(g.manager, o)
}

func (g *gateway) xmppWebSocket() http.Handler {
	s := g.settings
	return websocket.NewHandler(g.manager, &websocket.Options{
		XMPP:         true,
		NoPush:       true,
		Compression:  s.WebSocketCompress,
		CompressFrom: s.WebSocketCompressFrom,
		Push: &push.Options{
			Ping:        s.WebSocketPing,
			MaxBody:     int(s.MaxStanza),
			MaxDepth:    s.MaxDepth,
			BodyTimeout: s.BodyTimeout,

			MaxAttributes: s.MaxAttributes,

			WriteTimeout: s.WriteTimeout,
			Origins:      s.AllowOrigin,
			Logger:       g.logger,
		},
	})
}

// refuse answers before there is a WebSocket where there could be no session:
// later, a status can tell nothing any more.
func (g *gateway) refuse(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			next.ServeHTTP(w, r)
			return
		}
		switch {
		case g.draining.Load():
			after := (g.settings.ShutdownSpread + awayFor + time.Second - 1) / time.Second
			g.deny(w, r, http.StatusServiceUnavailable, strconv.Itoa(int(after)), "the server is going down")
		case g.manager.Stats().Sessions >= g.settings.MaxSessions:
			g.metrics.limited("max-sessions")
			g.deny(w, r, http.StatusServiceUnavailable, "10", "too many sessions")
		case g.budget.Full():
			g.metrics.limited("memory-budget")
			g.deny(w, r, http.StatusServiceUnavailable, "10", "short of memory")
		case g.admission.refuses(r.Context()):
			g.deny(w, r, http.StatusTooManyRequests, "60", "too many sessions of yours")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func (g *gateway) deny(w http.ResponseWriter, r *http.Request, status int, after, text string) {
	g.logger.WarnContext(r.Context(), "no session", "reason", text, "remote", r.RemoteAddr)
	w.Header().Set("Retry-After", after)
	g.say(w, r, status, text)
}

// only serves those that the mode allows.
func (g *gateway) only(mode string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !allowed(mode, r.Context()) {
			g.say(w, r, http.StatusForbidden, "This is for programs on the same machine.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (g *gateway) notFound(w http.ResponseWriter, r *http.Request) {
	g.say(w, r, http.StatusNotFound, "There is nothing here.")
}

// say answers with a text, which pages can read.
func (g *gateway) say(w http.ResponseWriter, r *http.Request, status int, text string) {
	g.origins.SetHeaders(w.Header(), r)
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, text, status)
}

func (g *gateway) healthz(w http.ResponseWriter, r *http.Request) { g.say(w, r, http.StatusOK, "ok") }

// readyz is for load balancers. That a server is full speaks against new sessions
// only: who has ?exclude=full asks for those that there are, too, as a balancer
// does that sends both the same way.
func (g *gateway) readyz(w http.ResponseWriter, r *http.Request) {
	full := r.URL.Query().Get("exclude") != "full"
	switch {
	case g.draining.Load():
		g.say(w, r, http.StatusServiceUnavailable, "going down")
	case full && g.manager.Stats().Sessions >= g.settings.MaxSessions:
		g.say(w, r, http.StatusServiceUnavailable, "too many sessions")
	case full && g.budget.Full():
		g.say(w, r, http.StatusServiceUnavailable, "short of memory")
	case !g.cluster.connected():
		g.say(w, r, http.StatusServiceUnavailable, "not connected to NATS")
	default:
		g.say(w, r, http.StatusOK, fmt.Sprintf("ready, %d sessions", g.manager.Stats().Sessions))
	}
}

// hostOf returns the host of a URL; empty if there is none of its own.
func hostOf(s string) string {
	u, err := url.Parse(s)
	if err != nil || s == "" {
		return ""
	}
	return clientaddr.Hostname(u.Host)
}
