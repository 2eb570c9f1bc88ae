package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/mochibosh/mochibosh/internal/clientaddr"
)

// validate finds what cannot work, whatever the world around is like.
func (s *settings) validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if slices.Contains(s.Listen, "off") {
		s.Listen = nil
	}
	if len(s.Listen)+len(s.TLSListen) == 0 {
		fail("listen: no address")
	}
	for _, a := range slices.Concat(s.Listen, s.TLSListen) {
		if _, _, err := net.SplitHostPort(a); err != nil {
			fail("listen: %q is no address such as 127.0.0.1:8888", a)
		}
	}
	if len(s.TLSCert) != len(s.TLSKey) {
		fail("tls-cert and tls-key: %d and %d files; each certificate has a key", len(s.TLSCert), len(s.TLSKey))
	}
	if len(s.TLSListen) > 0 && len(s.TLSCert) == 0 {
		fail("tls-listen: needs tls-cert and tls-key")
	}
	if _, err := s.proxies(); err != nil {
		fail("trusted-proxies: %w", err)
	}
	if u, err := url.Parse(strings.ReplaceAll(s.PublicURL, "{host}", "h")); s.PublicURL != "" &&
		(err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "") {
		fail("public-url: %q is no URL such as https://gw.example", s.PublicURL)
	}
	for _, o := range s.AllowOrigin {
		u, err := url.Parse(o)
		if o != "*" && o != "null" && (err != nil || u.Scheme == "" || u.Host == "" || u.Scheme+"://"+u.Host != o) {
			fail("allow-origin: %q is no origin such as https://chat.example", o)
		}
	}
	if _, err := parseRoutes(s.XMPP); err != nil {
		errs = append(errs, err)
	}
	if len(s.XMPP) == 0 && s.Push == "off" {
		fail("nothing to serve: neither xmpp nor push")
	}
	if u, err := url.Parse(s.OTLPEndpoint); s.OTLPEndpoint != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "") {
		fail("otlp-endpoint: %q is no URL such as http://127.0.0.1:4318", s.OTLPEndpoint)
	}
	if s.AdminKeyFile != "" && s.Push == "off" {
		fail("admin-key-file: the admin page needs push")
	}
	if s.PushTarget == "" {
		fail("push-target: empty")
	}
	errs = append(errs, s.validateBus()...)
	for _, d := range s.positiveDurations() {
		if d.value <= 0 {
			fail("%s: %v is not above zero", d.name, d.value)
		}
	}
	for _, n := range s.positiveNumbers() {
		if n.value <= 0 {
			fail("%s: %d is not above zero", n.name, n.value)
		}
	}
	if err := s.validateState(); err != nil {
		errs = append(errs, err)
	}
	if err := s.validateNATS(); err != nil {
		errs = append(errs, err)
	}
	if s.GCPercent == gcOff && s.MemoryLimit == noMemoryLimit {
		fail("gc-percent off: needs memory-limit, else no garbage is ever collected")
	}
	return errors.Join(errs...)
}

// validateBus finds what cannot work in the settings of the event bus.
func (s *settings) validateBus() (errs []error) {
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	for _, a := range slices.Concat(s.Listen, s.TLSListen) {
		if host, _, _ := net.SplitHostPort(a); s.Dev && !clientaddr.IsLoopback(host) {
			fail("dev: everybody may do everything, so only addresses such as 127.0.0.1 can be listened on, not %q", a)
		}
	}
	if _, err := parseTopics(s.Topic); err != nil {
		errs = append(errs, err)
	}
	if _, err := parseRules(s.Allow); err != nil {
		errs = append(errs, err)
	}
	if s.TokenNotice < 0 || s.TokenGrace < 0 || s.TokenLeeway < 0 || s.WebhookCache < 0 || s.APIRate < 0 {
		fail("token-notice, token-grace, token-leeway, webhook-cache and api-rate: must not be below zero")
	}
	if s.WebhookConcurrent <= 0 || s.WebhookMaxCached <= 0 || s.APIMaxBatch <= 0 {
		fail("webhook-concurrent, webhook-max-cached and api-max-batch: must be above zero")
	}
	if s.ReceiptWebhookRetry < 0 {
		fail("receipt-webhook-retry: must not be below zero")
	}
	if err := s.validateWebPush(); err != nil {
		errs = append(errs, err)
	}
	return errs
}

type namedNumber struct {
	name  string
	value int
}

func (s *settings) positiveNumbers() []namedNumber {
	return []namedNumber{
		{"max-connections", s.MaxConnections},
		{"max-header-lines", s.MaxHeaderLines},
		{"max-sessions", s.MaxSessions},
		{"max-ended", s.MaxEnded},
		{"max-streams", s.MaxStreams},
		{"max-answers", s.MaxAnswers},
		{"websocket-compress-from", s.WebSocketCompressFrom},
		{"max-payloads", s.MaxPayloads},
		{"max-depth", s.MaxDepth},
		{"max-attributes", s.MaxAttributes},
		{"push-window", s.PushWindow},
		{"max-topic-name", s.MaxTopicName},
		{"max-topics", s.MaxTopics},
		{"max-topics-per-session", s.MaxTopicsPerSession},
		{"max-pending", s.MaxPending},
		{"max-message-ids", s.MaxMessageIDs},
		{"max-members", s.MaxMembers},
		{"admin-max-rows", s.AdminMaxRows},
		{"max-receipts", s.MaxReceipts},
		{"max-receipts-per-session", s.MaxReceiptsPerSession},
		{"web-push-max-subscriptions", s.WebPushMaxSubscriptions},
		{"web-push-max-per-user", s.WebPushMaxPerUser},
		{"web-push-max-topics", s.WebPushMaxTopics},
		{"web-push-max-payload", int(s.WebPushMaxPayload)},
		{"web-push-max-waiting", s.WebPushMaxWaiting},
		{"web-push-max-attempts", s.WebPushMaxAttempts},
		{"web-push-max-requests", s.WebPushMaxRequests},
	}
}

type namedDuration struct {
	name  string
	value time.Duration
}

func (s *settings) positiveDurations() []namedDuration {
	return []namedDuration{
		{"header-timeout", s.HeaderTimeout},
		{"body-timeout", s.BodyTimeout},
		{"write-timeout", s.WriteTimeout},
		{"idle-timeout", s.IdleTimeout},
		{"connect-timeout", s.ConnectTimeout},
		{"handshake-timeout", s.HandshakeTimeout},
		{"stream-timeout", s.StreamTimeout},
		{"xmpp-write-timeout", s.XMPPWriteTimeout},
		{"xmpp-close-timeout", s.XMPPCloseTimeout},
		{"websocket-ping", s.WebSocketPing},
		{"push-wait", s.PushWait},
		{"push-inactivity", s.PushInactivity},
		{"token-jwks-refresh", s.TokenJWKSRefresh},
		{"webhook-timeout", s.WebhookTimeout},
		{"receipt-webhook-timeout", s.ReceiptWebhookTimeout},
		{"web-push-max-pause", s.WebPushMaxPause},
		{"web-push-max-after", s.WebPushMaxAfter},
		{"web-push-timeout", s.WebPushTimeout},
		{"shutdown-timeout", s.ShutdownTimeout},
		{"durability-interval", s.DurabilityInterval},
	}
}

func (s *settings) proxies() (clientaddr.Proxies, error) {
	return clientaddr.ParseProxies(s.TrustedProxies)
}

// certificates reads the certificates of our own.
func (s *settings) certificates() ([]tls.Certificate, error) {
	var all []tls.Certificate
	for i, file := range s.TLSCert {
		c, err := tls.LoadX509KeyPair(file, s.TLSKey[i])
		if err != nil {
			return nil, fmt.Errorf("tls-cert %s: %w", file, err)
		}
		all = append(all, c)
	}
	return all, nil
}
