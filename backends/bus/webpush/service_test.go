package webpush

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// A browser is one that has subscribed: it knows the secrets.
type browser struct {
	key  *ecdh.PrivateKey
	auth []byte
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{key, []byte("sixteen bytes, 1")}
}

func (b *browser) subscription(endpoint string, topics ...string) Subscription {
	s := Subscription{Endpoint: endpoint, Topics: topics}
	s.Keys.P256DH = base64.RawURLEncoding.EncodeToString(b.key.PublicKey().Bytes())
	s.Keys.Auth = base64.RawURLEncoding.EncodeToString(b.auth)
	return s
}

// open decrypts as RFC 8291 section 3 has it, from the browser's side.
func (b *browser) open(body []byte) (string, error) {
	if len(body) < headerSize || len(body) > MaxBody || body[20] != publicSize {
		return "", fmt.Errorf("a body of %d bytes", len(body))
	}
	public, err := ecdh.P256().NewPublicKey(body[21:headerSize])
	if err != nil {
		return "", err
	}
	shared, err := b.key.ECDH(public)
	if err != nil {
		return "", err
	}
	info := append([]byte("WebPush: info\x00"), b.key.PublicKey().Bytes()...)
	secret, err := hkdf.Key(sha256.New, shared, b.auth, string(append(info, public.Bytes()...)), 32)
	if err != nil {
		return "", err
	}
	aead, nonce, err := contentKeys(secret, body[:saltSize])
	if err != nil {
		return "", err
	}
	plain, err := aead.Open(nil, nonce, body[headerSize:], nil)
	if err != nil {
		return "", err
	}
	text, last := strings.CutSuffix(string(plain), "\x02")
	if !last {
		return "", fmt.Errorf("%q does not end", plain)
	}
	return text, nil
}

// A service is a push service: it answers with one status after the other, the last
// for ever. What a good one would refuse fails the test.
type service struct {
	t       *testing.T
	browser *browser
	origin  string
	keys    *Keys
	header  http.Header // of every answer

	mu       sync.Mutex
	statuses []int
	got      []string // what the browser would be given
	asked    []http.Header
	at       []time.Time
}

// ServeHTTP implements http.Handler.
func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.vapid(r.Header.Get("Authorization")); err != nil {
		s.t.Error(err)
	}
	if r.Method != "POST" || r.Header.Get("Content-Encoding") != "aes128gcm" || r.Header.Get("TTL") == "" {
		s.t.Errorf("%s with %v", r.Method, r.Header)
	}
	text, err := s.browser.open(body)
	if err != nil {
		s.t.Error(err)
	}
	status := s.statuses[0]
	if len(s.statuses) > 1 {
		s.statuses = s.statuses[1:]
	}
	if status == http.StatusCreated {
		s.got = append(s.got, text)
	}
	s.asked, s.at = append(s.asked, r.Header), append(s.at, time.Now())
	for name, values := range s.header {
		w.Header()[name] = values
	}
	w.WriteHeader(status)
}

// RoundTrip implements http.RoundTripper: the service without a network, for tests
// whose time stands still.
func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result(), nil
}

// vapid verifies the signature as RFC 8292 section 4 has it.
func (s *service) vapid(header string) error {
	fields, ok := strings.CutPrefix(header, "vapid t=")
	token, key, two := strings.Cut(fields, ", k=")
	if !ok || !two || key != s.keys.Public() {
		return fmt.Errorf("authorization %q", header)
	}
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(token, claims, func(*jwt.Token) (any, error) {
		point, err := base64.RawURLEncoding.DecodeString(key)
		if err != nil {
			return nil, err
		}
		return ecdsa.ParseUncompressedPublicKey(s.keys.private.Curve, point)
	}, jwt.WithValidMethods([]string{"ES256"}), jwt.WithAudience(s.origin), jwt.WithExpirationRequired())
	if err != nil {
		return err
	}
	expires, _ := claims.GetExpirationTime()
	if left := time.Until(expires.Time); left > 24*time.Hour || claims["sub"] != subject {
		return fmt.Errorf("claims %v", claims)
	}
	return nil
}

const subject = "mailto:ops@chat.example"
