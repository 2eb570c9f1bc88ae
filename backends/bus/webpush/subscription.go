package webpush

import (
	"crypto/ecdh"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"

	"github.com/mochibosh/mochibosh/backends/bus"
)

// A Subscription is what a browser's PushManager gives the page, as its toJSON has it.
type Subscription struct {
	// Endpoint is where the browser's push service takes messages for it. Who knows
	// it can have notifications sent, if it knows the server's keys, too.
	Endpoint string `json:"endpoint"`
	Keys     struct {
		P256DH string `json:"p256dh"` // the browser's public key
		Auth   string `json:"auth"`   // a secret of it and us
	} `json:"keys"`
	// Topics are those of which the user wants to have notifications, besides
	// messages for the user.
	Topics []string `json:"topics,omitempty"`
}

const (
	maxEndpoint = 2048 // bytes
	authSize    = 16
)

// A receiver is a subscription that is known to be good.
type receiver struct {
	endpoint *url.URL
	public   *ecdh.PublicKey
	auth     []byte
}

func badRequest(text string) error { return &bus.Error{Code: bus.BadRequest, Text: text} }

// receiver reads a subscription. Whether its endpoint is allowed is said elsewhere.
func (s *Subscription) receiver() (*receiver, error) {
	if len(s.Endpoint) > maxEndpoint {
		return nil, badRequest(fmt.Sprintf("endpoint is longer than %d bytes", maxEndpoint))
	}
	u, err := url.Parse(s.Endpoint)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return nil, badRequest("endpoint is no https URL")
	}
	point, err := decode(s.Keys.P256DH)
	if err != nil {
		return nil, badRequest("keys.p256dh is not base64")
	}
	public, err := ecdh.P256().NewPublicKey(point)
	if err != nil {
		return nil, badRequest("keys.p256dh is no public key of the curve P-256")
	}
	auth, err := decode(s.Keys.Auth)
	if err != nil || len(auth) != authSize {
		return nil, badRequest("keys.auth is not 16 bytes in base64")
	}
	return &receiver{u, public, auth}, nil
}

// decode reads base64 of either alphabet, padded or not: libraries differ.
func decode(s string) ([]byte, error) {
	s = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(s, "="))
	return base64.RawURLEncoding.DecodeString(s)
}
