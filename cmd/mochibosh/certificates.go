package main

import (
	"crypto/tls"
	"sync/atomic"
)

// A certificateStore has the certificates of our own, which change while
// connections come.
type certificateStore struct {
	all atomic.Pointer[[]tls.Certificate]
}

func (c *certificateStore) set(all []tls.Certificate) { c.all.Store(&all) }

// config returns what listeners need.
func (c *certificateStore) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.choose, NextProtos: []string{"h2", "http/1.1"}}
}

// choose returns the first certificate for the name that the client asks for,
// or the first of all.
func (c *certificateStore) choose(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	all := *c.all.Load()
	for i := range all {
		if hello.SupportsCertificate(&all[i]) == nil {
			return &all[i], nil
		}
	}
	return &all[0], nil
}
