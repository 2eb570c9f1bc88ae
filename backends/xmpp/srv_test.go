package xmpp

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/mochibosh/mochibosh/transport"
)

// zone is a resolver: records by service, an error where there is no entry.
type zone map[string][]*net.SRV

func (z zone) LookupSRV(_ context.Context, service, proto, name string) (string, []*net.SRV, error) {
	if proto != "tcp" || name != "im.example" {
		return "", nil, errors.New("asked for something else")
	}
	if found, ok := z[service]; ok {
		return name, found, nil
	}
	return "", nil, &net.DNSError{Err: "no such host", IsNotFound: z["broken"] == nil}
}

func TestWhereToConnect(t *testing.T) {
	srv := func(target string, port, priority uint16) *net.SRV {
		return &net.SRV{Target: target, Port: port, Priority: priority}
	}
	none := []*net.SRV{srv(".", 0, 0)}
	for _, c := range []struct {
		name  string
		route Route
		zone  zone
		want  string
	}{
		{"R-03.7: what is configured wins", Route{Addr: "here:1", TLS: DirectTLS}, zone{"xmpp-client": {srv("a.", 1, 1)}}, "here:1 direct"},
		{"R-03.6: without records, the domain", Route{}, zone{}, "im.example:5222 starttls"},
		{"without records nor TLS", Route{TLS: NoTLS}, zone{}, "im.example:5222 clear"},
		{"R-03.2, L-03.3: one kind", Route{}, zone{"xmpp-client": {srv("a.", 5269, 1)}}, "a:5269 starttls"},
		{"L-03.1: two kinds in one list", Route{}, zone{
			"xmpp-client":  {srv("a.", 1, 1), srv("c.", 3, 3)},
			"xmpps-client": {srv("b.", 2, 2), srv("d.", 4, 4)},
		}, "a:1 starttls, b:2 direct, c:3 starttls, d:4 direct"},
		{"R-03.3: no service", Route{}, zone{"xmpp-client": none}, errNoService.Error()},
		{"L-05.2: no service of one kind", Route{}, zone{"xmpps-client": none, "xmpp-client": {srv("a.", 1, 1)}}, "a:1 starttls"},
		{"L-05.3: and none of the other", Route{}, zone{"xmpps-client": none}, errNoService.Error()},
		{"a failure is not an answer", Route{}, zone{"broken": none}, "lookup : no such host"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRelay(t, &Options{Resolver: c.zone})
			rt, err := c.route.prepare("im.example")
			if err != nil {
				t.Fatal(err)
			}
			places, err := r.endpoints(t.Context(), rt)
			var got []string
			for _, p := range places {
				got = append(got, p.addr+" "+map[TLSMode]string{STARTTLS: "starttls", DirectTLS: "direct", NoTLS: "clear"}[p.mode])
			}
			if err != nil {
				got = append(got, err.Error())
			}
			if s := strings.Join(got, ", "); s != c.want {
				t.Errorf("got %s, want %s", s, c.want)
			}
		})
	}
}

// RFC 2782: the chance is in proportion to the weight.
func TestWeightsCount(t *testing.T) {
	first := make(map[string]int)
	for n := range 41 {
		recs := []record{{SRV: &net.SRV{Target: "30", Weight: 30}}, {SRV: &net.SRV{Target: "0"}}, {SRV: &net.SRV{Target: "10", Weight: 10}}}
		order(recs, func(below int) int {
			if below == 41 {
				return n
			}
			return 0
		})
		first[recs[0].Target]++
		if !slices.ContainsFunc(recs, func(r record) bool { return r.Target == "30" }) {
			t.Fatal("a record is lost")
		}
	}
	if first["0"] != 1 || first["10"] != 10 || first["30"] != 30 {
		t.Errorf("first were %v", first)
	}
}

func TestTriedInTurn(t *testing.T) {
	t.Attr("requirements", "R-03.4 R-03.5")
	var dialed []string
	opts := &Options{
		Routes:   map[string]Route{"im.example": {TLS: NoTLS}},
		RetryFor: -1,
		Resolver: zone{"xmpp-client": {
			{Target: "b.", Port: 2, Priority: 2}, {Target: "a.", Port: 1, Priority: 1},
		}},
		Dial: func(_ context.Context, _, addr string) (net.Conn, error) {
			dialed = append(dialed, addr)
			return nil, errors.New("refused")
		},
	}
	inBubble(t, opts, func(w *world) {
		w.say(clientOpen)
		w.wantEnd("R-03.4, R-03.5", transport.Unreachable, texts[Connect])
		if got := strings.Join(dialed, " "); got != "a:1 b:2" {
			t.Errorf("dialed %s", got)
		}
	})
}

func TestNobodyElseIsConnectedTo(t *testing.T) {
	t.Attr("requirements", "T-39")
	m := transport.NewManager(&transport.Options{Backend: newRelay(t, noTLS())})
	defer m.Shutdown(t.Context())
	s, err := m.Create(t.Context(), transport.Params{})
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"", "server:5222", "127.0.0.1", "other.example"} {
		_, err := s.Open(t.Context(), "one", target)
		var end *transport.Termination
		if !errors.As(err, &end) || end.Condition != transport.HostUnknown {
			t.Errorf("T-39: %q: %v", target, err)
		}
	}
}

func TestNextRecordWhereTLSFails(t *testing.T) {
	t.Attr("requirements", "L-05.1 L-03.7 R-03.4")
	opts := &Options{
		Routes: map[string]Route{"im.example": {}},
		Resolver: zone{
			"xmpps-client": {{Target: "multiplexed.", Port: 443, Priority: 1}},
			"xmpp-client":  {{Target: "plain.", Port: 5222, Priority: 2}},
		},
	}
	inBubble(t, opts, func(w *world) {
		w.say(clientOpen)
		w.accept()
		w.wantBytes("a ClientHello", "\x16\x03\x01")
		w.server.Close()
		w.accept()
		w.wantBytes("L-03.3 the next, in clear", clearHeader)
		if got := strings.Join(w.to, " "); got != "multiplexed:443 plain:5222" {
			t.Errorf("connected to %s", got)
		}
	})
}
