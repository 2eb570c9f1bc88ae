// Command xmppservers starts a Prosody for im.example and, with -ejabberd, an
// ejabberd for chat.example, both with the users alice and bob. It prints a
// line of JSON about each, and ends with its standard input.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/mochibosh/mochibosh/internal/xmpptest"
)

func main() {
	both := flag.Bool("ejabberd", false, "start ejabberd too")
	flag.Parse()
	if err := run(*both); err != nil {
		log.Fatal(err)
	}
}

func run(both bool) error {
	prosody, err := xmpptest.NewProsody(nil)
	if err != nil {
		return err
	}
	defer prosody.Remove()
	tell(prosody)
	if both {
		ejabberd, err := xmpptest.NewEjabberd(&xmpptest.Options{Domain: "chat.example"})
		if err != nil {
			return err
		}
		defer ejabberd.Remove()
		tell(ejabberd)
	}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
	return nil
}

func tell(s *xmpptest.Server) {
	line, _ := json.Marshal(map[string]any{"domain": s.Domain, "address": s.Addr, "users": s.Users, "password": xmpptest.Password})
	fmt.Printf("%s\n", line)
}
