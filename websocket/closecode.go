package websocket

import (
	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/transport/push"
)

// Close codes, as IANA registers them and docs/push-v1.md section 4.3 adds.
const (
	closeNormal      = 1000
	closeGoingAway   = 1001
	closeProtocol    = 1002
	closeUnsupported = 1003
	closeInvalid     = 1007
	closeTooBig      = 1009
	closeInternal    = 1011
	closeRestart     = 1012
	closeTryLater    = 1013
	closeReplaced    = 4000
	closePrivate     = 4000 // plus an HTTP status
)

// codeOfEnd returns the close code after the end of a session.
func codeOfEnd(c transport.Condition) int {
	switch c {
	case transport.Normal:
		return closeNormal
	case transport.Inactive:
		return closeGoingAway
	case transport.TooBig:
		return closeTooBig
	case transport.Overflow, transport.Unreachable:
		return closeTryLater
	case transport.Shutdown, transport.Moved:
		return closeRestart
	case transport.BackendError, transport.Internal:
		return closeInternal
	case transport.HostUnknown, transport.HostGone:
		return closePrivate + 404
	case transport.Unauthorized, transport.Expired:
		return closePrivate + 401
	case transport.Policy:
		return closePrivate + 403
	}
	return closePrivate + 400
}

// codeOfError returns the close code after a refusal.
func codeOfError(e *push.Error) int {
	switch e.Code {
	case push.Replaced:
		return closeReplaced
	case push.TooBig:
		return closeTooBig
	case push.Unavailable:
		if e.After > 0 {
			return closeRestart
		}
		return closeTryLater
	case push.Internal:
		return closeInternal
	}
	return closePrivate + e.Status()
}
