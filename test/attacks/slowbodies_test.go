package attacks

import (
	"testing"
)

// Bodies that never end are cut, and their clients told why.
func TestSlowBodies(t *testing.T) {
	s := serve(t, "--body-timeout=500ms")
	for path, told := range map[string]string{
		"/http-bind":   "policy-violation",
		"/push":        `"slow"`,
		"/push/sse":    `"slow"`,
		"/api/publish": `"slow"`,
	} {
		for how, header := range map[string]string{"declared": "Content-Length: 50000", "in chunks": "Transfer-Encoding: chunked"} {
			t.Run(path+" "+how, func(t *testing.T) {
				t.Parallel()
				begin := "POST " + path + " HTTP/1.1\r\nHost: localhost\r\n" + header + "\r\n\r\n"
				if how == "in chunks" {
					begin += "10000\r\n"
				}
				for _, a := range trickle(t, s, 20, begin) {
					want(t, path, a, told)
				}
			})
		}
	}
}
