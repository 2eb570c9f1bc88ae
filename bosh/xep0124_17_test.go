package bosh_test

import (
	"slices"
	"testing"

	"github.com/mochibosh/mochibosh/transport"
)

// The conditions of XEP-0124 §17.2; none, for a graceful end.
var conditions = []string{
	"", "bad-request", "host-gone", "host-unknown", "improper-addressing", "internal-server-error", "item-not-found", "other-request",
	"policy-violation", "remote-connection-failed", "remote-stream-error", "see-other-uri", "system-shutdown", "undefined-condition",
}

func TestOnlyKnownConditions(t *testing.T) {
	for _, end := range []transport.Condition{
		transport.Normal, transport.Inactive, transport.BadRequest, transport.OutOfWindow, transport.Policy, transport.TooBig, transport.Overflow,
		transport.HostUnknown, transport.Unreachable, transport.BackendError, transport.Moved, transport.Shutdown, transport.Internal, "odd",
	} {
		t.Run("B-17.25 B-17.6 "+string(end), bubble(func(t *testing.T) {
			w := newWorld(t, settings{})
			c := w.create("")
			poll := c.begin(c.at(1, "", ""))
			w.backend.stream().Stream.Close(&transport.Termination{Condition: end})
			a := poll.answer()
			if a.attrs["type"] != "terminate" || !slices.Contains(conditions, a.attrs["condition"]) || a.status != 200 {
				t.Errorf("got %d %s", a.status, a.xml)
			}
		}))
	}
}
