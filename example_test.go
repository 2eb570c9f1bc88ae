package mochibosh_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gorilla/mux"

	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/bosh"
	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/transport/longpoll"
	"github.com/mochibosh/mochibosh/transport/sse"
	"github.com/mochibosh/mochibosh/websocket"
)

// A backend behind all carriers, mounted with gorilla/mux. The backend here is
// the event bus; one of your own does as well.
func Example() {
	room := bus.New(nil)

	m := transport.NewManager(&transport.Options{Backend: room})
	r := mux.NewRouter()
	r.Handle("/push", longpoll.NewHandler(m, nil))
	r.Handle("/push/sse", sse.NewHandler(m, nil))
	r.Handle("/push/ws", websocket.NewHandler(m, nil))
	r.Handle("/http-bind", bosh.NewHandler(m, nil))

	w := httptest.NewRecorder()
	r.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/push", strings.NewReader("{}")))
	fmt.Println(w.Code)

	// Output: 201
}
