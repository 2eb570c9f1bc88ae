package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"time"
)

// reload reads the configuration and all files again. If anything is wrong
// with them, nothing changes.
func (s *server) reload() {
	if err := s.tryReload(); err != nil {
		s.gateway.metrics.reloads.WithLabelValues("failed").Inc()
		s.logger.Error("not reloaded: everything stays as it was", "error", err)
		return
	}
	s.gateway.metrics.reloads.WithLabelValues("done").Inc()
}

func (s *server) tryReload() error {
	next, err := parse(s.in.args)
	if err != nil {
		return err
	}
	certificates, err := next.certificates()
	if err != nil {
		return err
	}
	if len(certificates) == 0 && len(s.in.TLSListen) > 0 {
		return errors.New("tls-cert: none is left for tls-listen")
	}
	permission, err := next.renewal()
	if err != nil {
		return err
	}
	if err := s.gateway.setRoutes(next.XMPP); err != nil {
		return err
	}
	s.gateway.renew(permission)
	s.certificates.set(certificates)
	s.level.Set(levelOf(next.LogLevel))
	for i, was := range s.in.values {
		is := &next.values[i]
		switch {
		case was.value == is.value:
		case reloadable[was.name]:
			s.logger.Info("changed", "setting", was.name, "from", was.value, "to", is.value)
		default:
			s.logger.Warn("changed, but needs a restart", "setting", was.name, "from", was.value, "to", is.value)
			is.value = was.value // still
		}
	}
	s.in.values = next.values
	s.logger.Info("reloaded", "domains", len(next.XMPP), "certificates", describeAll(certificates))
	for _, p := range next.problems(time.Now()) {
		s.logger.Warn("configuration", "problem", p)
	}
	return nil
}

// reloadable are the settings that need no restart.
var reloadable = map[string]bool{
	"xmpp": true, "tls-cert": true, "tls-key": true, "log-level": true,
	"allow": true, "token-key": true, "api-keys": true, "admin-key-file": true,
}

func describeAll(certificates []tls.Certificate) (all []string) {
	for _, c := range certificates {
		all = append(all, fmt.Sprintf("%v until %s", c.Leaf.DNSNames, c.Leaf.NotAfter.Format(time.DateOnly)))
	}
	return all
}
