package bosh_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/mochibosh/mochibosh/bosh"
	"github.com/mochibosh/mochibosh/transport"
)

// An endpoint whose backend sends everything back.
func Example() {
	echo := transport.Serve(func(ctx context.Context, st *transport.Stream, in <-chan []byte) error {
		for p := range in {
			if err := st.Send(ctx, p); err != nil {
				return err
			}
		}
		return nil
	})
	manager := transport.NewManager(&transport.Options{
		Backend: transport.Mux{"echo": echo},
		NewID:   func() string { return "SomeSID" }, // for the example only: ids must be secret
	})
	defer manager.Shutdown(context.Background())
	server := httptest.NewServer(bosh.NewHandler(manager, &bosh.Options{NoStreams: true, Origins: []string{"https://example.org"}}))
	defer server.Close()

	for _, body := range []string{
		`<body xmlns='http://jabber.org/protocol/httpbind' rid='1001' to='echo' wait='60' hold='1' ver='1.6'/>`,
		`<body xmlns='http://jabber.org/protocol/httpbind' rid='1002' sid='SomeSID'>
			<json xmlns='urn:xmpp:json:0'>{"hello":"world"}</json>
		</body>`,
		`<body xmlns='http://jabber.org/protocol/httpbind' rid='1003' sid='SomeSID' type='terminate'/>`,
	} {
		resp, err := http.Post(server.URL, "text/xml; charset=utf-8", strings.NewReader(body))
		if err != nil {
			fmt.Println(err)
			return
		}
		answer, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		fmt.Println(string(answer))
	}

	// Output:
	// <body xmlns='http://jabber.org/protocol/httpbind' sid='SomeSID' wait='60' requests='2' hold='1' ver='1.6' polling='5' inactivity='90' maxpause='120' accept='gzip,deflate' from='echo'/>
	// <body xmlns='http://jabber.org/protocol/httpbind'><json xmlns='urn:xmpp:json:0'>{"hello":"world"}</json></body>
	// <body xmlns='http://jabber.org/protocol/httpbind' type='terminate'/>
}

// A server for clients that pipeline requests, as some do.
func ExampleListen() {
	manager := transport.NewManager(&transport.Options{Backend: transport.Mux{}})
	server := &http.Server{Handler: bosh.NewHandler(manager, nil), ConnContext: bosh.ConnContext}
	ln, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	go server.Serve(bosh.Listen(ln))

	resp, err := http.Get("http://" + ln.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	io.Copy(os.Stdout, resp.Body)
	resp.Body.Close()
	manager.Shutdown(context.Background())
	server.Shutdown(context.Background())
	http.DefaultClient.CloseIdleConnections()

	// Output:
	// This is a BOSH endpoint (XEP-0124). Programs talk to it with POST.
}
