package api_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/mochibosh/mochibosh/auth"
	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/backends/bus/api"
)

// A shop may publish in its own topics.
func Example() {
	grants, err := auth.ParseGrants("publish history on shop/*", api.All...)
	if err != nil {
		log.Fatal(err)
	}
	key, secret := api.NewKey("shop", grants)
	server := httptest.NewServer(api.NewHandler(bus.New(nil), &api.Options{Keys: api.NewKeys(key)}))
	defer server.Close()

	for _, topic := range []string{"shop/orders", "news"} {
		r, err := http.NewRequest("POST", server.URL+"/api/publish-batch", strings.NewReader(`{"messages":[{"topic":"`+topic+`","data":42}]}`))
		if err != nil {
			log.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+secret)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			log.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(resp.StatusCode, strings.Contains(string(body), `"offset":1`), strings.Contains(string(body), "forbidden"))
	}
	// Output:
	// 200 true false
	// 200 false true
}
