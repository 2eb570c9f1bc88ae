package webpush

import "testing"

func TestKeys(t *testing.T) {
	made, err := NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	data, err := made.PEM()
	if err != nil {
		t.Fatal(err)
	}
	read, err := ParseKeys(data)
	if err != nil || read.Public() != made.Public() || len(read.Public()) != 87 {
		t.Errorf("%v, %v", read, err)
	}
	for _, bad := range []string{"", "hello", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"} {
		if _, err := ParseKeys([]byte(bad)); err == nil {
			t.Errorf("%q is a key", bad)
		}
	}
}

// Whoever publishes, and whichever browser subscribes: nothing that they send crashes.
func FuzzParse(f *testing.F) {
	f.Add(`{"title":"Hi","after":1}`, "BAAA", "AAAA", "https://push.example/")
	f.Fuzz(func(t *testing.T, message, key, auth, endpoint string) {
		if m, err := ParseMessage([]byte(message)); err == nil && m.check(DefaultMaxAfter) == nil {
			m.payload(DefaultMaxPayload)
			m.after()
		}
		s := Subscription{Endpoint: endpoint}
		s.Keys.P256DH, s.Keys.Auth = key, auth
		if to, err := s.receiver(); err == nil {
			r := reach{hosts: []string{"*"}}
			r.check(to.endpoint)
		}
	})
}
