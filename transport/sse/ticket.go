package sse

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/transport/push"
)

// ticketLife is how long a ticket is good: time to open one request.
const ticketLife = 30 * time.Second

// A ticket stands in a URL, where the key must not. It is a keyed hash over
// just the values that it stands for, so that the server has to keep nothing;
// and as a stream's attach number must be above all before, it is good once.
type ticket struct {
	session     string
	attach, ack uint64
	expires     int64 // Unix seconds
}

func (t ticket) String() string {
	return fmt.Sprintf("%d.%d.%d.%s", t.attach, t.ack, t.expires, t.session)
}

// sign returns the ticket as it stands in the URL.
func (t ticket) sign(key string) string {
	return t.String() + "." + base64.RawURLEncoding.EncodeToString(t.mac(key))
}

func (t ticket) mac(key string) []byte {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte("push.v1 sse ticket " + t.String()))
	return h.Sum(nil)[:18]
}

// parseTicket reads a ticket, of which nothing is proven yet.
func parseTicket(s string) (t ticket, mac []byte, err error) {
	end := strings.LastIndexByte(s, '.')
	if end < 0 {
		return t, nil, errTicket
	}
	parts := strings.SplitN(s[:end], ".", 4)
	if len(parts) < 4 {
		return t, nil, errTicket
	}
	var errs [4]error
	t.session = parts[3]
	t.attach, errs[0] = strconv.ParseUint(parts[0], 10, 53)
	t.ack, errs[1] = strconv.ParseUint(parts[1], 10, 53)
	t.expires, errs[2] = strconv.ParseInt(parts[2], 10, 64)
	mac, errs[3] = base64.RawURLEncoding.DecodeString(s[end+1:])
	for _, err := range errs {
		if err != nil {
			return t, nil, errTicket
		}
	}
	return t, mac, nil
}

// valid reports whether the holder of the session's key made the ticket, and
// not long ago.
func (t ticket) valid(s *transport.Session, mac []byte, now time.Time) bool {
	return hmac.Equal(mac, t.mac(s.Params().Secret)) && now.Unix() <= t.expires
}

var errTicket = &push.Error{Code: push.Forbidden, Message: "not a ticket, or no longer good"}
