package nodes

import (
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/mochibosh/mochibosh/internal/park"
)

// What happens to a forwarded request while its handler runs is told afterwards, once.
func TestEventsWaitForTheHandler(t *testing.T) {
	for what, happens := range map[string]func(*reply){
		"gone":    (*reply).gone,
		"behind":  (*reply).behind,
		"drained": func(w *reply) { w.takenUpTo(window + 1) },
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				var told []string
				tell := func(what string) func() {
					return func() {
						mu.Lock()
						defer mu.Unlock()
						told = append(told, what)
					}
				}
				n := &Node{opts: Options{Logger: slog.New(slog.DiscardHandler)}}
				w := &reply{node: n, header: make(http.Header), cancel: func() {}, sent: window + 1}
				n.handler = http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
					p := rw.(park.Writer)
					p.Park(park.Events{Gone: tell("gone"), Behind: tell("behind"), Drained: tell("drained")})
					p.Drained()
					happens(w)
					synctest.Wait()
					if len(told) > 0 {
						t.Errorf("told while the handler runs: %q", told)
					}
				})
				w.serve(new(http.Request))
				synctest.Wait()
				if !slices.Equal(told, []string{what}) {
					t.Errorf("told %q", told)
				}
			})
		})
	}
}
