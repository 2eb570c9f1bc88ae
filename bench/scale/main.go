//go:build linux

package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
)

type settings struct {
	sessions, rounds, polls, connections int
}

func main() {
	var s settings
	flag.IntVar(&s.sessions, "sessions", 1000000, "")
	flag.IntVar(&s.polls, "polls", 100000, "")
	flag.IntVar(&s.connections, "connections", 500, "")
	flag.IntVar(&s.rounds, "rounds", 5, "")
	c := flag.String("carrier", "core", "")
	flag.Parse()
	if *c == "h2" {
		dir, _ := os.MkdirTemp("", "scale")
		fmt.Println(build(context.Background(), dir))
		r, err := measureCrowd(context.Background(), s, dir)
		fmt.Println(err)
		json.NewEncoder(os.Stdout).Encode(r)
		return
	}
	r, err := measureFleet(context.Background(), s, *c)
	fmt.Println(err)
	json.NewEncoder(os.Stdout).Encode(r)
}
