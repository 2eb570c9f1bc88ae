package receipthook_test

import (
	"log"
	"time"

	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/backends/bus/receipthook"
)

// Messages that are published with Receipts: bus.ServerReceipts have their receipts
// posted.
func Example() {
	hook, err := receipthook.New("https://app.example/receipts", &receipthook.Options{Secret: "whsec_aHVzaA==", Retry: time.Hour})
	if err != nil {
		log.Fatal(err)
	}
	_ = bus.New(&bus.Options{OnReceipts: hook.Post})
}
