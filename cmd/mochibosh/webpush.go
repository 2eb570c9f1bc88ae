package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/mochibosh/mochibosh/backends/bus/webpush"
)

// vapidCommand makes the keys for Web Push.
type vapidCommand struct {
	Out string `arg:"" optional:"" placeholder:"FILE" help:"File to write the private key to, for its owner alone; it must not be there. Default: standard output."`
}

// Run prints the public key to standard error, or to standard output if that is free.
func (c *vapidCommand) Run(t *terminal) error {
	keys, err := webpush.NewKeys()
	if err != nil {
		return err
	}
	private, err := keys.PEM()
	if err != nil {
		return err
	}
	if c.Out == "" {
		fmt.Fprintln(t.stderr, keys.Public())
		_, err := t.stdout.Write(private)
		return err
	}
	// A key that is lost takes all subscriptions with it: none is written over.
	f, err := os.OpenFile(c.Out, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.Write(private); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return err
	}
	return t.print([]byte(keys.Public()))
}

// pathWebPush is where clients register what their browsers subscribed to.
const pathWebPush = pathPush + "/web"

// webPushOptions reads the settings, and the files that they name, but for the store.
// Nil: there is no Web Push.
func (s *settings) webPushOptions() (*webpush.Options, error) {
	if s.WebPushKey == "" {
		return nil, nil
	}
	data, err := os.ReadFile(s.WebPushKey)
	if err != nil {
		return nil, fmt.Errorf("web-push-key: %w", err)
	}
	keys, err := webpush.ParseKeys(data)
	if err != nil {
		return nil, fmt.Errorf("web-push-key: %s: %w", s.WebPushKey, err)
	}
	o := &webpush.Options{
		Keys:        keys,
		Subject:     s.WebPushSubject,
		Hosts:       s.WebPushHost,
		MaxTopics:   s.WebPushMaxTopics,
		MaxPayload:  int(s.WebPushMaxPayload),
		MaxWaiting:  s.WebPushMaxWaiting,
		MaxAttempts: s.WebPushMaxAttempts,
		MaxPause:    s.WebPushMaxPause,
		MaxAfter:    s.WebPushMaxAfter,
		Concurrent:  s.WebPushMaxRequests,
		Timeout:     s.WebPushTimeout,
	}
	if o.Networks, err = s.webPushNetworks(); err != nil {
		return nil, err
	}
	o.RootCAs, err = s.webPushRoots()
	return o, err
}

func (s *settings) webPushNetworks() (all []netip.Prefix, err error) {
	for _, n := range s.WebPushNetwork {
		p, err := netip.ParsePrefix(n)
		if err != nil {
			return nil, fmt.Errorf("web-push-network: %q is no network such as 10.1.2.0/24", n)
		}
		all = append(all, p.Masked())
	}
	return all, nil
}

func (s *settings) webPushRoots() (*x509.CertPool, error) {
	if s.WebPushCA == "" {
		return nil, nil
	}
	roots, _, err := readAuthorities(s.WebPushCA)
	if err != nil {
		return nil, fmt.Errorf("web-push-ca: %w", err)
	}
	return roots, nil
}

// validateWebPush finds what cannot work, but for files.
func (s *settings) validateWebPush() error {
	var errs []error
	if s.WebPushKey != "" && s.WebPushSubject == "" {
		errs = append(errs, errors.New("web-push-key: needs web-push-subject"))
	}
	if s.WebPushKey != "" && s.Push == "off" {
		errs = append(errs, errors.New("web-push-key: needs push"))
	}
	_, err := s.webPushNetworks()
	return errors.Join(append(errs, err)...)
}

// openWebPush makes what sends notifications, and finds the subscriptions where the
// last process left them.
func (g *gateway) openWebPush(o *webpush.Options) error {
	s := g.settings
	limits := webpush.Limits{MaxSubscriptions: s.WebPushMaxSubscriptions, MaxPerUser: s.WebPushMaxPerUser}
	var err error
	switch {
	case g.cluster != nil:
		o.Store, err = g.cluster.openBrowsers(limits)
	case s.StateDir != "":
		o.Store, err = webpush.OpenFile(filepath.Join(s.StateDir, "webpush"), limits)
	default:
		o.Store = webpush.NewMemory(limits)
	}
	if err != nil {
		return err
	}
	o.Trace, o.Logger = g.metrics.webPushTrace(), g.logger
	if g.pusher, err = webpush.New(g.backend.bus, *o); err != nil {
		return err
	}
	g.metrics.watchWebPush(g.pusher)
	return nil
}

// webPush takes the subscriptions of clients.
func (g *gateway) webPush() http.Handler {
	return webpush.NewHandler(g.pusher, webpush.HandlerOptions{Guard: g.allowed.guard, Origins: g.settings.AllowOrigin, Logger: g.logger})
}
