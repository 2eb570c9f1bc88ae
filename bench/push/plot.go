//go:build linux

package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
)

// A plot has lines over a number of clients, which is on a logarithmic scale.
type plot struct {
	file, title, unit string
	lines             []line
}

type line struct {
	name   string
	points []point
}

type point struct {
	clients int
	value   float64
}

// plots returns how the cost grows, as far as that was measured.
func (rs *results) plots() (all []plot) {
	idle := []measure{idle1k, rs.settings.idleClients(), idle18k}
	deliveries := []measure{fanOut100, fanOut, fanOut10k}
	for _, p := range []plot{
		{"idle-memory.svg", "Memory of an idle client", "KB", rs.lines(idle, kilo, resident)},
		{"idle-cpu.svg", "CPU of an idle client and minute", "ms", rs.lines(idle, milli, cpu)},
		{"delivery-cpu.svg", "CPU of a delivery, 10,000 a second in all", "µs", rs.lines(deliveries, perMillion, cpu)},
	} {
		if len(p.lines) > 0 {
			all = append(all, p)
		}
	}
	return all
}

// draw writes the plots into a folder.
func (rs *results) draw(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, p := range rs.plots() {
		if err := os.WriteFile(filepath.Join(folder, p.file), []byte(p.svg()), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (rs *results) lines(measures []measure, unit float64, of func(result) float64) (lines []line) {
	for _, carrier := range []string{longPoll, bosh, sse, webSocket} {
		sys, l := system{mochibosh, carrier}, line{name: carrier}
		for _, m := range measures {
			if rs.measured(sys, m) {
				l.points = append(l.points, point{m.subscribers, rs.median(sys, figure{m, unit, of})})
			}
		}
		if len(l.points) == len(measures) {
			lines = append(lines, l)
		}
	}
	return lines
}

// Sizes in pixels.
const (
	plotWidth, plotHeight = 640, 320
	plotLeft, plotRight   = 60, 120
	plotTop, plotBottom   = 40, 50
)

// Colours that can be told from each other on white and on black, by people
// who see few colours too; the dashes help.
var strokes = []struct{ colour, dashes string }{{"#0072b2", "none"}, {"#d55e00", "8 3"}, {"#009e73", "3 3"}, {"#b5649a", "10 3 2 3"}}

func (p plot) svg() string {
	least, most, top := math.MaxInt, 0, 0.0
	for _, l := range p.lines {
		for _, pt := range l.points {
			least, most, top = min(least, pt.clients), max(most, pt.clients), max(top, pt.value)
		}
	}
	step := niceStep(top)
	top = step * math.Ceil(top/step)
	x := func(clients int) float64 {
		share := math.Log(float64(clients)/float64(least)) / math.Log(float64(most)/float64(least))
		return plotLeft + share*(plotWidth-plotLeft-plotRight)
	}
	y := func(value float64) float64 {
		return plotHeight - plotBottom - value/top*(plotHeight-plotTop-plotBottom)
	}

	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%[1]d" height="%[2]d" role="img" font-family="sans-serif" font-size="13">
<title>%[3]s</title>
<style>
text { fill: #222 } .grid { stroke: #ccc } .page { fill: #fff }
@media (prefers-color-scheme: dark) { text { fill: #ddd } .grid { stroke: #444 } .page { fill: #111 } }
</style>
<rect class="page" width="100%%" height="100%%"/>
<text x="%[4]d" y="22" font-size="15">%[3]s, %[5]s</text>
`, plotWidth, plotHeight, p.title, plotLeft, p.unit)
	for v := 0.0; v <= top*1.001; v += step {
		fmt.Fprintf(&b, `<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/><text x="%d" y="%.1f" text-anchor="end">%.4g</text>`+"\n",
			plotLeft, plotWidth-plotRight, y(v), y(v), plotLeft-8, y(v)+4, v)
	}
	for _, pt := range p.lines[0].points {
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", x(pt.clients), plotHeight-plotBottom+20, thousands(pt.clients))
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">clients</text>`+"\n", (plotLeft+plotWidth-plotRight)/2, plotHeight-10)
	for i, l := range p.lines {
		stroke := strokes[i%len(strokes)]
		fmt.Fprintf(&b, `<polyline fill="none" stroke="%s" stroke-width="2" stroke-dasharray="%s" points="`, stroke.colour, stroke.dashes)
		for _, pt := range l.points {
			fmt.Fprintf(&b, "%.1f,%.1f ", x(pt.clients), y(pt.value))
		}
		b.WriteString("\"/>\n")
		// The names stand in the order of the lines, as the lines may meet.
		at := plotTop + 10 + 22*i
		fmt.Fprintf(&b, `<line x1="%d" x2="%d" y1="%d" y2="%[3]d" stroke="%s" stroke-width="2" stroke-dasharray="%s"/><text x="%d" y="%d">%s</text>`+"\n",
			plotWidth-plotRight+10, plotWidth-plotRight+36, at, stroke.colour, stroke.dashes, plotWidth-plotRight+42, at+4, l.name)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// niceStep returns 1, 2 or 5 times a power of ten, so that some four make up top.
func niceStep(top float64) float64 {
	if top <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(top/4)))
	for _, n := range []float64{1, 2, 5} {
		if top/(n*power) <= 5 {
			return n * power
		}
	}
	return 10 * power
}

func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}
