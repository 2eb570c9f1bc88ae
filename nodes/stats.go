package nodes

import "sync/atomic"

// Stats are the numbers of a node.
type Stats struct {
	Peers     int   // other nodes that are there
	Waiting   int64 // requests of clients here that other nodes are to answer
	Serving   int64 // requests of clients elsewhere that wait here
	Forwarded int64 // requests passed on, in all
	Served    int64 // requests of other nodes, in all
	Failed    int64 // requests not passed on, in all: their clients repeat them
	TakenOver int64 // sessions of nodes that were gone, in all
}

type counters struct {
	forwarded, served, failed, takenOver atomic.Int64
}

// Stats returns the numbers of this moment.
func (n *Node) Stats() Stats {
	return Stats{
		Peers:     len(n.Peers()),
		Waiting:   n.waiting.Load(),
		Serving:   n.serving.Load(),
		Forwarded: n.counters.forwarded.Load(),
		Served:    n.counters.served.Load(),
		Failed:    n.counters.failed.Load(),
		TakenOver: n.counters.takenOver.Load(),
	}
}
