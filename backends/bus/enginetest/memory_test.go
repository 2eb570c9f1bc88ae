package enginetest_test

import (
	"context"
	"testing"

	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/backends/bus/enginetest"
)

func TestMemory(t *testing.T) {
	enginetest.Run(t, func(t *testing.T) (a, b bus.Engine) {
		e := bus.NewMemory(enginetest.Options())
		e.Keep(blotter{}) // with a journal it knows commands
		return e, e
	})
}

// A blotter is a journal that nobody reads.
type blotter struct{}

func (blotter) Append([]byte)              {}
func (blotter) Sync(context.Context) error { return nil }
