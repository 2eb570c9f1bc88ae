package websocket

import (
	"errors"

	"github.com/mochibosh/mochibosh/internal/xmlframe"
	"github.com/mochibosh/mochibosh/transport"
)

// streamError is a condition of RFC 6120 §4.9.3. As the cause of a session's
// end it is told to the client, where the session's own condition would be
// less precise.
type streamError string

const (
	badFormat              streamError = "bad-format"
	connectionTimeout      streamError = "connection-timeout"
	hostGone               streamError = "host-gone"
	hostUnknown            streamError = "host-unknown"
	internalServerError    streamError = "internal-server-error"
	invalidNamespace       streamError = "invalid-namespace"
	notWellFormed          streamError = "not-well-formed"
	policyViolation        streamError = "policy-violation"
	remoteConnectionFailed streamError = "remote-connection-failed"
	resourceConstraint     streamError = "resource-constraint"
	restrictedXML          streamError = "restricted-xml"
	systemShutdown         streamError = "system-shutdown"
	undefinedCondition     streamError = "undefined-condition"
	unsupportedEncoding    streamError = "unsupported-encoding"
)

// Error implements error.
func (e streamError) Error() string { return "websocket: stream error " + string(e) }

// streamErrorOf says in XMPP's words why a session ended; empty for a normal
// end.
func streamErrorOf(t *transport.Termination) streamError {
	var own streamError
	if errors.As(t, &own) {
		return own
	}
	switch t.Condition {
	case transport.Normal:
		return ""
	case transport.Inactive:
		return connectionTimeout
	case transport.BadRequest:
		return badFormat
	case transport.Policy, transport.Unauthorized, transport.Expired, transport.TooBig:
		return policyViolation
	case transport.Overflow:
		return resourceConstraint
	case transport.HostUnknown:
		return hostUnknown
	case transport.HostGone:
		return hostGone
	case transport.Unreachable:
		return remoteConnectionFailed
	case transport.Shutdown:
		return systemShutdown
	case transport.BackendError, transport.Internal:
		return internalServerError
	}
	return undefinedCondition
}

// endOf makes the end of a session of what is wrong with a message, or with
// making the session.
func endOf(err error) *transport.Termination {
	var end *transport.Termination
	var own streamError
	var xml *xmlframe.Error
	var away *transport.Suspended
	switch {
	case errors.As(err, &away):
		return &transport.Termination{Condition: transport.Shutdown, Text: "the server is restarted"}
	case errors.As(err, &end):
		return end
	case errors.As(err, &own):
		return &transport.Termination{Condition: transport.BadRequest, Err: own}
	case errors.As(err, &xml):
		return endOfXML(xml)
	case errors.Is(err, errTooBig):
		return &transport.Termination{Condition: transport.TooBig, Text: "message too big", Err: errTooBig}
	case errors.Is(err, transport.ErrTooManySessions):
		return &transport.Termination{Condition: transport.Policy, Text: "too many sessions", Err: resourceConstraint}
	case errors.Is(err, transport.ErrNoMemory):
		return &transport.Termination{Condition: transport.Policy, Text: "short of memory", Err: resourceConstraint}
	case errors.Is(err, transport.ErrClientLimit):
		return &transport.Termination{Condition: transport.Policy, Text: "too many sessions of yours", Err: policyViolation}
	}
	return &transport.Termination{Condition: transport.Internal, Err: err}
}

func endOfXML(err *xmlframe.Error) *transport.Termination {
	t := &transport.Termination{Condition: transport.BadRequest, Text: err.Text, Err: notWellFormed}
	switch {
	case err.Kind == xmlframe.Restricted:
		t.Err = restrictedXML // RFC 6120 §11.1
	case err.Kind == xmlframe.BadEncoding:
		t.Err = unsupportedEncoding // RFC 6120 §11.6
	case err.Kind.Limit():
		t.Condition, t.Err = transport.Policy, policyViolation
	}
	return t
}
