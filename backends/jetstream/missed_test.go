package jetstream_test

import (
	"context"
	"testing"
	"time"

	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/backends/jetstream"
)

// This file has a process miss what it should have heard.

// two are processes of which one publishes and the other follows a topic, of which it
// has one message.
func two(t *testing.T) (a, b *jetstream.Engine, k *counter) {
	t.Helper()
	s := startNATS(t)
	made := func(node string) *jetstream.Engine {
		e, err := jetstream.NewEngine(t.Context(), jetstream.Options{Conn: connect(t, s), Node: node, Timeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(e.Close)
		return e
	}
	a, b = made("a"), made("b")
	k = &counter{came: make(chan bus.Message, 100)}
	if _, _, err := b.Subscribe(t.Context(), "t", k); err != nil {
		t.Fatal(err)
	}
	say(t, a)
	k.want(t, 1)
	return a, b, k
}

func say(t *testing.T, e *jetstream.Engine) {
	t.Helper()
	if _, err := e.Publish(t.Context(), "t", bus.Publication{Data: []byte("1")}); err != nil {
		t.Fatal(err)
	}
}

func TestSignsOfLifeShowWhatGotLost(t *testing.T) {
	a, b, k := two(t)
	b.Sign(a, "2") // it is known from here on
	b.Deaf("t")
	say(t, a)
	b.Sign(a, "100")
	k.want(t, 2)
}

// Who gives up reading, because its publisher waits no longer, leaves that to another.
func TestWhatIsKnownOfIsRead(t *testing.T) {
	a, b, k := two(t)
	say(t, b) // it knows by then what was published before
	k.want(t, 2)
	b.Deaf("t")
	say(t, a)
	heal := b.Unread()
	if _, err := b.Publish(t.Context(), "t", bus.Publication{Data: []byte("2")}); err == nil {
		t.Fatal("published, without knowing what is there")
	}
	heal()
	k.want(t, 3)
}

// A message is heard of that neither who is asked nor who leads the stream, as it
// thinks, has got.
func TestWhatIsHeardIsNotForgotten(t *testing.T) {
	a, b, k := two(t)
	b.Stale(10, func() {
		say(t, a)
		for !b.Heard("t") {
			time.Sleep(time.Millisecond)
		}
	})
	if _, err := b.Read(t.Context(), "t", bus.Query{Since: &bus.Position{Epoch: at(t, b).Epoch, Offset: 1000}}); err != nil {
		t.Fatal(err)
	}
	k.want(t, 2)
}

func at(t *testing.T, e *jetstream.Engine) bus.Position {
	t.Helper()
	r, err := e.Read(context.Background(), "t", bus.Query{})
	if err != nil {
		t.Fatal(err)
	}
	return r.Position
}

func TestWhoseAnswerGotLostRemindsToo(t *testing.T) {
	a, b, k := two(t)
	a.Unanswered()
	say(t, a)
	k.want(t, 2)
	if seq, to := a.Reminds("t"); !to {
		t.Errorf("not of %d", seq)
	}
	_ = b
}

func TestABatchThatIsFoundIsNotMadeAgain(t *testing.T) {
	a, _, _ := two(t)
	if again, err := a.Found(t.Context(), "t"); err != nil || again {
		t.Errorf("it is made again: %v, %v", again, err)
	}
}
