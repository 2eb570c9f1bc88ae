package main

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/mochibosh/mochibosh/auth"
	"github.com/mochibosh/mochibosh/auth/webhook"
	"github.com/mochibosh/mochibosh/auth/webtoken"
	"github.com/mochibosh/mochibosh/backends/bus/api"
)

// A permission says who may do what on the event bus.
type permission struct {
	guard *auth.Guard
	opts  auth.Options
	// tokens verifies; nil: none are configured.
	tokens *webtoken.Verifier
}

func newPermission(s *settings, m *metrics, tr *tracing, logger *slog.Logger) (*permission, error) {
	p := &permission{opts: auth.Options{
		Open:   s.Dev,
		Notice: s.TokenNotice,
		Grace:  cmp.Or(s.TokenGrace, -1),
		Trace:  m.authTrace(),
		Logger: logger,
	}}
	if err := p.ask(s, m, tr); err != nil {
		return nil, err
	}
	if len(s.TokenKey) > 0 || s.TokenJWKS != "" {
		verify := webtoken.Options{
			Issuer:   s.TokenIssuer,
			Audience: s.TokenAudience,
			Leeway:   cmp.Or(s.TokenLeeway, -1),
			NoExpiry: s.TokenNoExpiry,
		}
		if s.TokenJWKS != "" {
			var err error
			if verify.Remote, err = webtoken.NewRemote(s.TokenJWKS, &webtoken.RemoteOptions{Refresh: s.TokenJWKSRefresh, Logger: logger}); err != nil {
				return nil, fmt.Errorf("token-jwks: %w", err)
			}
		}
		p.tokens = webtoken.NewVerifier(&verify)
		p.opts.Authenticator = p.tokens
	}
	p.guard = auth.NewGuard(&p.opts)
	return p, nil
}

// ask has the application asked.
func (p *permission) ask(s *settings, m *metrics, tr *tracing) error {
	if s.Webhook == "" {
		return nil
	}
	secret, err := readSecret("webhook-secret", s.WebhookSecret)
	if err != nil {
		return err
	}
	hook, err := webhook.New(s.Webhook, &webhook.Options{
		Secret:     secret,
		Timeout:    s.WebhookTimeout,
		Concurrent: s.WebhookConcurrent,
		CacheAge:   cmp.Or(s.WebhookCache, -1),
		MaxCached:  s.WebhookMaxCached,
		Observe:    m.asked,
		Tracing:    tr.spans(),
	})
	if err != nil {
		return fmt.Errorf("webhook: %w", err)
	}
	p.opts.Authenticator = hook
	p.opts.Decide = hook.Decide
	return nil
}

// A renewal is what can change without a restart.
type renewal struct {
	rules  []auth.Rule
	verify []webtoken.Key
	keys   *api.Keys
	admins adminKeys
}

// renewal reads the rules of the settings, and the files that they name.
func (s *settings) renewal() (r renewal, err error) {
	if r.rules, err = parseRules(s.Allow); err != nil {
		return r, err
	}
	for _, file := range s.TokenKey {
		data, err := os.ReadFile(file)
		if err != nil {
			return r, fmt.Errorf("token-key: %w", err)
		}
		keys, err := webtoken.ParseKeys(data)
		if err != nil {
			return r, fmt.Errorf("token-key %s: %w", file, err)
		}
		r.verify = append(r.verify, keys...)
	}
	if r.admins, err = readAdminKeys(s.AdminKeyFile); err != nil {
		return r, err
	}
	r.keys, err = readAPIKeys(s.APIKeys)
	return r, err
}

// renew has other rules and keys count, at once.
func (p *permission) renew(r renewal) {
	if p.tokens != nil {
		p.tokens.SetKeys(r.verify)
	}
	p.opts.Rules = r.rules
	p.guard.SetOptions(&p.opts)
}

// parseRules reads all values of --allow.
func parseRules(specs []string) (all []auth.Rule, err error) {
	var errs []error
	for _, spec := range specs {
		rules, err := auth.ParseRules(spec)
		if err != nil {
			errs = append(errs, fmt.Errorf("allow %q: %w", spec, err))
		}
		all = append(all, rules...)
	}
	return all, errors.Join(errs...)
}

func readAPIKeys(file string) (*api.Keys, error) {
	if file == "" {
		return nil, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("api-keys: %w", err)
	}
	keys, err := api.ParseKeys(string(data))
	if err != nil {
		return nil, fmt.Errorf("api-keys %s: %w", file, err)
	}
	return keys, nil
}

// readSecret reads a file that has nothing else.
func readSecret(name, file string) (string, error) {
	if file == "" {
		return "", nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return strings.TrimSpace(string(data)), nil
}
