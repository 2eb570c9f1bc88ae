package main

import (
	"fmt"
	"time"
)

const heading = "| run | sent up | sent down | lost | doubled | out of order | altered | sessions lost | exchanges | damaged | hindered | moves | cuts of all | longest gap | took |\n" +
	"|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|"

// row is a line of the table.
func (o *outcome) row() string {
	sum := o.up
	sum.add(o.down)
	c := &o.counts
	carried := c.Exchanges + c.Pieces
	return fmt.Sprintf("| %s | %d | %d | %d | %d | %d | %d | %d | %d | %.1f %% | %.1f %% | %d | %d | %v | %v |",
		o.name, o.up.Sent, o.down.Sent, sum.Lost, sum.Doubled, sum.Misordered, sum.Damaged, len(o.errors),
		carried, 100*c.Share(), 100*float64(c.Hindered())/max(1, float64(carried)), o.moves, o.cuts,
		sum.Gap.Round(10*time.Millisecond), o.took.Round(time.Second/10))
}
