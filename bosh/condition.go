package bosh

import (
	"errors"
	"net/http"

	"github.com/mochibosh/mochibosh/transport"
)

// condition is a terminal binding condition, one of the 13 of XEP-0124 §17.2.
// The empty one is that of a graceful end.
type condition string

const (
	badRequest             condition = "bad-request"
	hostGone               condition = "host-gone"
	hostUnknown            condition = "host-unknown"
	improperAddressing     condition = "improper-addressing"
	internalServerError    condition = "internal-server-error"
	itemNotFound           condition = "item-not-found"
	otherRequest           condition = "other-request"
	policyViolation        condition = "policy-violation"
	remoteConnectionFailed condition = "remote-connection-failed"
	remoteStreamError      condition = "remote-stream-error"
	seeOtherURI            condition = "see-other-uri"
	systemShutdown         condition = "system-shutdown"
	undefinedCondition     condition = "undefined-condition"
)

// status returns the HTTP status of an answer with the condition. Only clients
// that named no version when they made their session know these three from the
// status; the condition is in the body all the same (XEP-0124 §17.1, §17.2).
func (c condition) status(p transport.Params) int {
	if p.Attrs[attrVersion] == "" {
		switch c {
		case badRequest:
			return http.StatusBadRequest
		case policyViolation:
			return http.StatusForbidden
		case itemNotFound:
			return http.StatusNotFound
		}
	}
	return http.StatusOK
}

// errCulprit marks the end of a session that one request caused: that with
// this rid. It is told the condition; the others learn that it was another one.
type errCulprit uint64

func (errCulprit) Error() string { return "bosh: ended by a request outside the rules" }

// culprit returns the end of a session by a request that the gate refuses.
func culprit(t transport.Turn, c transport.Condition, text string) *transport.Termination {
	return &transport.Termination{Condition: c, Text: text, Err: errCulprit(t.Seq)}
}

// conditionFor says in the binding's words why a session ended, to the request
// with this rid, which was open then.
func conditionFor(rid uint64, t *transport.Termination) condition {
	var by errCulprit
	switch {
	case !errors.As(t, &by):
		return conditionOf(t)
	case uint64(by) == rid:
		return lateConditionOf(t)
	}
	return otherRequest // XEP-0124 §17.2
}

// conditionOf says it to no request in particular.
func conditionOf(t *transport.Termination) condition {
	switch t.Condition {
	case transport.Normal:
		return ""
	case transport.BadRequest:
		return badRequest
	case transport.Inactive, transport.OutOfWindow:
		return itemNotFound
	case transport.Policy, transport.Unauthorized, transport.Expired, transport.TooBig, transport.Overflow:
		return policyViolation
	case transport.HostUnknown:
		return hostUnknown
	case transport.HostGone:
		return hostGone
	case transport.Unreachable:
		return remoteConnectionFailed
	case transport.BackendError:
		return remoteStreamError
	case transport.Moved:
		if t.URI != "" {
			return seeOtherURI
		}
	case transport.Shutdown:
		return systemShutdown
	case transport.Internal:
		return internalServerError
	}
	return undefinedCondition
}

// lateConditionOf says it to a request that came when the client had been
// told. Where there is nothing to explain, the session does not exist
// (XEP-0124 §10, §13).
func lateConditionOf(t *transport.Termination) condition {
	switch t.Condition {
	case transport.Normal, transport.Inactive, transport.OutOfWindow:
		return itemNotFound
	case transport.Policy:
		return policyViolation
	}
	return conditionOf(t)
}
