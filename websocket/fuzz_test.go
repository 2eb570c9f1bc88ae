package websocket_test

import (
	"strings"
	"testing"
	"testing/synctest"

	gorilla "github.com/gorilla/websocket"
)

// W-X.1: whatever a client says, either the backend gets it as it was said,
// or the stream ends with an error, or the WebSocket with a code. Nothing is
// dropped in silence, and nothing else reaches the backend.
func FuzzXMPPMessage(f *testing.F) {
	for _, seed := range []string{
		`<message xmlns="jabber:client"/>`, `<?xml version="1.0"?>` + clientOpen, closeStream, "", " ", "\xff",
		`<a xmlns="urn:1">&b;</a>`, `<a xmlns="urn:1"><!----></a>`, `<a/>`, `<open xmlns="urn:1"/>`, `<stream:stream>`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, message string) {
		synctest.Test(t, func(t *testing.T) {
			c, b := startXMPP(t, xmppOptions()).open()
			answers := make(chan string, 10)
			go func() {
				defer close(answers)
				for {
					_, data, err := c.ReadMessage()
					if err != nil {
						var code *gorilla.CloseError
						if code, _ = err.(*gorilla.CloseError); code != nil && code.Code == gorilla.CloseInvalidFramePayloadData {
							answers <- "1007"
						}
						return
					}
					answers <- string(data)
				}
			}()
			c.say(message)
			synctest.Wait()
			var passed, first string
			if len(b.got) > 0 {
				passed = <-b.got
			}
			if len(answers) > 0 {
				first = <-answers
			}
			refused := first == "1007" || strings.HasPrefix(first, "<stream:error ") && <-answers == closeStream
			ended := first == closeStream && strings.Contains(passed, "close")
			if accepted := passed != "" && strings.HasSuffix(message, passed); accepted == refused || first != "" && !refused && !ended {
				t.Errorf("%q: the backend got %q, the client %q", message, passed, first)
			}
			c.Close()
		})
	})
}
