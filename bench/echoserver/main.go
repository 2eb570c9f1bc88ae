// Command echoserver is a light XMPP server for benchmarks: what is behind a
// gateway when the gateway alone is of interest. It takes any SASL PLAIN, binds
// the resource that it is asked for, answers requests (roster, session, ping)
// with an empty result and sends each message back to who sent it. It routes
// nothing, keeps nothing and believes that its clients write proper XML.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
)

func main() {
	addr := flag.String("listen", "127.0.0.1:0", "address for XMPP over TCP, in clear")
	domain := flag.String("domain", "im.example", "its domain")
	flag.Parse()
	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ln.Addr())
	for {
		c, err := ln.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go (&client{conn: c, domain: *domain}).serve()
	}
}
