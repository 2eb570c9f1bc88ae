package enginetest_test

import (
	"testing"

	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/backends/bus/enginetest"
)

func TestMemory(t *testing.T) {
	enginetest.Run(t, func(t *testing.T) (a, b bus.Engine) {
		e := bus.NewMemory(enginetest.Options())
		return e, e
	})
}
