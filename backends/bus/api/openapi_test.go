package api

import (
	"encoding/json"
	"net/http/httptest"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mochibosh/mochibosh/backends/bus"
)

// A schema is one of the description's, as far as we use them.
type schema struct {
	Ref        string `json:"$ref"`
	Type       string
	Properties map[string]*schema
	Required   []string
	Items      *schema
	Enum       []string
	OneOf      []*schema
}

type content struct {
	Content map[string]struct{ Schema *schema }
}

type openAPI struct {
	OpenAPI string
	Paths   map[string]map[string]struct {
		OperationID string
		RequestBody content
		Responses   map[string]struct {
			Ref string `json:"$ref"`
			content
		}
	}
	Components struct {
		Schemas   map[string]*schema
		Responses map[string]content
	}
}

func (d *openAPI) schema(s *schema) *schema {
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		return d.Components.Schemas[name]
	}
	return s
}

// queries and answers are what operations take and give.
var types = map[string]struct {
	query   any
	answers []any
}{
	"publish":         {publishQuery{}, []any{published{}, results{}}},
	"publish-batch":   {batch{}, []any{results{}}},
	"publish-to-user": {userMessage{}, []any{published{}}},
	"broadcast":       {message{}, []any{published{}}},
	"history":         {historyQuery{}, []any{historyAnswer{}}},
	"presence":        {topicQuery{}, []any{presenceAnswer{}}},
	"sessions":        {userQuery{}, []any{sessionsAnswer{}}},
	"end-sessions":    {endQuery{}, []any{endAnswer{}}},
}

// The description that is served has the operations that there are, with the
// members that they have, and the codes and statuses of their refusals.
func TestDescriptionAgreesWithTheCode(t *testing.T) {
	w := httptest.NewRecorder()
	NewHandler(bus.New(nil), nil).ServeHTTP(w, httptest.NewRequest("GET", Path+"openapi.json", nil))
	var d openAPI
	if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil || w.Code != 200 || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("%d %v: %v", w.Code, w.Header(), err)
	}
	if !strings.HasPrefix(d.OpenAPI, "3.") {
		t.Errorf("OpenAPI %q", d.OpenAPI)
	}
	for name := range operations {
		if d.Paths[Path+name] == nil {
			t.Errorf("%s is not described", name)
		}
	}
	for path, methods := range d.Paths {
		name := strings.TrimPrefix(path, Path)
		if operations[name] == nil || len(methods) != 1 {
			t.Errorf("%s: described with %d methods", path, len(methods))
			continue
		}
		op := methods["post"]
		d.agrees(t, path+" query", reflect.TypeOf(types[name].query), op.RequestBody.Content["application/json"].Schema)
		answer := op.Responses["200"].Content["application/json"].Schema
		answers := append([]*schema{}, answer.OneOf...)
		if len(answers) == 0 {
			answers = append(answers, answer)
		}
		for i, a := range types[name].answers {
			d.agrees(t, path+" answer", reflect.TypeOf(a), answers[i])
		}
		for _, status := range statuses {
			r, ok := op.Responses[strconv.Itoa(status)]
			if _, known := d.Components.Responses[strings.TrimPrefix(r.Ref, "#/components/responses/")]; !ok || !known {
				t.Errorf("%s: status %d is not described", path, status)
			}
		}
		if len(op.Responses) != len(d.Components.Responses)+1 {
			t.Errorf("%s: %d responses", path, len(op.Responses))
		}
	}
	codes := d.Components.Schemas["Refusal"].Properties["code"].Enum
	for code := range statuses {
		if !slices.Contains(codes, string(code)) {
			t.Errorf("code %s is not described", code)
		}
	}
	if len(codes) != len(statuses) {
		t.Errorf("%d codes are described, and %d exist", len(codes), len(statuses))
	}
}

// agrees compares a Go type with a schema, member by member.
func (d *openAPI) agrees(t *testing.T, where string, typ reflect.Type, s *schema) {
	t.Helper()
	if s = d.schema(s); s == nil {
		t.Errorf("%s: no schema", where)
		return
	}
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	switch typ.Kind() {
	case reflect.Struct:
		members := map[string]reflect.StructField{}
		collect(typ, members)
		for name, f := range members {
			if s.Properties[name] == nil {
				t.Errorf("%s: %q is not described", where, name)
				continue
			}
			d.agrees(t, where+"."+name, f.Type, s.Properties[name])
		}
		for name := range s.Properties {
			if _, ok := members[name]; !ok {
				t.Errorf("%s: %q is described, and does not exist", where, name)
			}
		}
	case reflect.Slice:
		if typ == reflect.TypeFor[json.RawMessage]() {
			if s.Type != "" {
				t.Errorf("%s: any value, described as %s", where, s.Type)
			}
			return
		}
		if s.Type != "array" {
			t.Errorf("%s: a list, described as %q", where, s.Type)
			return
		}
		d.agrees(t, where+"[]", typ.Elem(), s.Items)
	default:
		want := map[reflect.Kind]string{reflect.String: "string", reflect.Bool: "boolean", reflect.Int: "integer", reflect.Uint64: "integer"}[typ.Kind()]
		if s.Type != want {
			t.Errorf("%s: a %v, described as %q", where, typ, s.Type)
		}
	}
}

func collect(typ reflect.Type, into map[string]reflect.StructField) {
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			collect(f.Type, into)
			continue
		}
		into[name] = f
	}
}
