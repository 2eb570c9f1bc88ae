package otlp

import (
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace"
)

// What follows is opentelemetry/proto/collector/trace/v1 in the JSON of OTLP: ids in
// hexadecimal, integers of 64 bits as strings.

type request struct {
	ResourceSpans []resourceSpans `json:"resourceSpans"`
}

type resourceSpans struct {
	Resource   resource     `json:"resource"`
	ScopeSpans []scopeSpans `json:"scopeSpans"`
}

type resource struct {
	Attributes []keyValue `json:"attributes"`
}

type scopeSpans struct {
	Scope scope  `json:"scope"`
	Spans []span `json:"spans"`
}

type scope struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
}

type span struct {
	TraceID           string     `json:"traceId"`
	SpanID            string     `json:"spanId"`
	ParentSpanID      string     `json:"parentSpanId,omitempty"`
	TraceState        string     `json:"traceState,omitempty"`
	Name              string     `json:"name"`
	Kind              int        `json:"kind"`
	StartTimeUnixNano string     `json:"startTimeUnixNano"`
	EndTimeUnixNano   string     `json:"endTimeUnixNano"`
	Attributes        []keyValue `json:"attributes,omitempty"`
	Status            *status    `json:"status,omitempty"`
}

type status struct {
	Code    int    `json:"code"`
	Message string `json:"message,omitempty"`
}

type keyValue struct {
	Key   string `json:"key"`
	Value value  `json:"value"`
}

// A value has one of these.
type value struct {
	String *string  `json:"stringValue,omitempty"`
	Int    *string  `json:"intValue,omitempty"`
	Double *float64 `json:"doubleValue,omitempty"`
	Bool   *bool    `json:"boolValue,omitempty"`
}

// encode groups spans by who made them. All have one resource: the process.
func encode(spans []trace.ReadOnlySpan) request {
	var all []scopeSpans
	index := make(map[string]int)
	for _, s := range spans {
		name := s.InstrumentationScope().Name
		i, ok := index[name]
		if !ok {
			i = len(all)
			index[name] = i
			all = append(all, scopeSpans{Scope: scope{name, s.InstrumentationScope().Version}})
		}
		all[i].Spans = append(all[i].Spans, encodeSpan(s))
	}
	return request{[]resourceSpans{{resource{attributes(spans[0].Resource().Attributes())}, all}}}
}

func encodeSpan(s trace.ReadOnlySpan) span {
	c, parent := s.SpanContext(), s.Parent()
	e := span{
		TraceID:           c.TraceID().String(),
		SpanID:            c.SpanID().String(),
		TraceState:        c.TraceState().String(),
		Name:              s.Name(),
		Kind:              int(s.SpanKind()), // the numbers are the same
		StartTimeUnixNano: strconv.FormatInt(s.StartTime().UnixNano(), 10),
		EndTimeUnixNano:   strconv.FormatInt(s.EndTime().UnixNano(), 10),
		Attributes:        attributes(s.Attributes()),
	}
	if parent.HasSpanID() {
		e.ParentSpanID = parent.SpanID().String()
	}
	switch st := s.Status(); st.Code { // here they are not
	case codes.Ok:
		e.Status = &status{Code: 1}
	case codes.Error:
		e.Status = &status{Code: 2, Message: st.Description}
	}
	return e
}

func attributes(all []attribute.KeyValue) []keyValue {
	encoded := make([]keyValue, len(all))
	for i, kv := range all {
		encoded[i] = keyValue{string(kv.Key), encodeValue(kv.Value)}
	}
	return encoded
}

// encodeValue encodes lists as the text that stands for them.
func encodeValue(v attribute.Value) (e value) {
	switch v.Type() {
	case attribute.BOOL:
		b := v.AsBool()
		e.Bool = &b
	case attribute.INT64:
		n := strconv.FormatInt(v.AsInt64(), 10)
		e.Int = &n
	case attribute.FLOAT64:
		f := v.AsFloat64()
		e.Double = &f
	default:
		s := v.String()
		e.String = &s
	}
	return e
}
