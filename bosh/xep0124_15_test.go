package bosh_test

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/mochibosh/mochibosh/transport"
)

// XEP-0124 §15: keys.

// keyChain returns K(1) … K(n); the last is for newkey.
func keyChain(seed string, n int) []string {
	keys := make([]string, n)
	for i := range keys {
		sum := sha1.Sum([]byte(seed))
		seed = hex.EncodeToString(sum[:])
		keys[i] = seed
	}
	return keys
}

// keyed is a session whose n-th request carries the n-th key of the chain.
type keyed struct {
	*client
	keys []string
}

func (w *world) createKeyed(attrs string) *keyed {
	w.t.Helper()
	keys := keyChain("seed", 20)
	return &keyed{w.create("newkey='" + keys[19] + "' " + attrs), keys}
}

func (k *keyed) key(n int) string { return k.keys[19-n] }

func (k *keyed) with(n int, key, payload string) string {
	return k.at(n, "key='"+key+"'", payload)
}

func (k *keyed) right(n int, payload string) string { return k.with(n, k.key(n), payload) }

func TestKeys(t *testing.T) {
	t.Run("B-15.4 the known chain", func(t *testing.T) {
		// SHA-1 of "abc", FIPS 180-4; then of those 40 characters.
		if k := keyChain("abc", 2); k[0] != "a9993e364706816aba3e25717850c26c9cd0d89d" {
			t.Errorf("K(1) is %s", k[0])
		}
	})

	t.Run("B-15.1 B-15.4 B-15.5 B-15.8 a chain of ten, in any case", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		keys := keyChain("seed", 20)
		c := w.create("wait='0' newkey='" + strings.ToUpper(keys[19]) + "'")
		k := &keyed{c, keys}
		for n := 1; n <= 10; n++ {
			w.wantXML(fmt.Sprint(n), c.post(k.right(n, payload(n))), empty)
		}
	}))

	for name, wrong := range map[string]func(*keyed) string{
		"none":           func(k *keyed) string { return k.at(2, "", payload(2)) },
		"empty":          func(k *keyed) string { return k.with(2, "", payload(2)) },
		"that before":    func(k *keyed) string { return k.with(2, k.key(1), payload(2)) },
		"one later":      func(k *keyed) string { return k.with(2, k.key(3), payload(2)) },
		"one digit off":  func(k *keyed) string { return k.with(2, "X"+k.key(2)[1:], payload(2)) },
		"very long":      func(k *keyed) string { return k.with(2, k.key(2)+strings.Repeat("0", 1000), payload(2)) },
		"with a new one": func(k *keyed) string { return k.at(2, "newkey='"+k.key(5)+"'", payload(2)) },
		"for a pause":    func(k *keyed) string { return k.at(2, "pause='5'", "") },
		"for the end":    func(k *keyed) string { return k.at(2, "type='terminate'", payload(2)) },
	} {
		t.Run("B-02.4 B-15.9 B-17.13 a wrong key: "+name, bubble(func(t *testing.T) {
			w := newWorld(t, settings{})
			k := w.createKeyed("")
			one := k.begin(k.right(1, payload(1)))
			w.wantXML("culprit", k.post(wrong(k)), terminal("item-not-found"))
			w.wantXML("held", one.answer(), terminal("other-request"))
			w.wantReceived("nothing of it", payload(1)+" closed")
			w.wantXML("the right one, late", k.post(k.right(2, payload(2))), terminal("item-not-found"))
		}))
	}

	t.Run("B-15.10 a switch to another chain", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		k := w.createKeyed("wait='0'")
		other := keyChain("other", 5)
		w.wantXML("first", k.post(k.right(1, "")), empty)
		w.wantXML("switch", k.post(k.at(2, "key='"+k.key(2)+"' newkey='"+other[4]+"'", "")), empty)
		w.wantXML("new chain", k.post(k.with(3, other[3], "")), empty)
		w.wantXML("repeat of the switch", k.post(k.at(2, "key='"+k.key(2)+"' newkey='"+other[4]+"'", "")), empty)
		w.wantXML("old chain", k.post(k.with(4, k.key(3), "")), terminal("item-not-found"))
	}))

	t.Run("B-15.11 T-22 they are verified in the order of rids", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		k := w.createKeyed("")
		two := k.begin(k.right(2, payload(2)))
		one := k.begin(k.right(1, payload(1)))
		w.wantXML("first", one.answer(), empty)
		w.wantHeld("second", two)
		w.wantReceived("both", payload(1)+" "+payload(2))
	}))

	t.Run("B-15.9 B-15.11 a wrong key that came early is found in its turn; it alone is told why", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		k := w.createKeyed("")
		two := k.begin(k.with(2, k.key(5), payload(2)))
		w.wantHeld("early", two)
		one := k.begin(k.right(1, payload(1)))
		w.wantXML("first", one.answer(), terminal("other-request"))
		w.wantXML("culprit", two.answer(), terminal("item-not-found"))
		w.wantReceived("the first", payload(1)+" closed")
	}))

	t.Run("B-15.12 T-22 repeats are checked at their own place, and move nothing", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		k := w.createKeyed("wait='0' ack='1'")
		var got []*answer
		for n := 1; n <= 5; n++ {
			w.backend.stream().send(payload(n))
			got = append(got, k.post(k.at(n, fmt.Sprintf("ack='%d' key='%s'", first, k.key(n)), "")))
		}
		for n, a := range got {
			w.wantXML("repeat", k.post(k.with(n+1, strings.ToUpper(k.key(n+1)), "")), a.xml)
		}
		a := k.post(k.right(6, ""))
		if a.condition() != "" {
			t.Errorf("next: %q", a.xml)
		}
	}))

	for name, key := range map[string]int{"another": 7, "none": 0} {
		t.Run("B-15.12 a repeat with a wrong key gets no payloads: "+name, bubble(func(t *testing.T) {
			wrong := func(k *keyed, n int) string {
				if key == 0 {
					return k.at(n, "", "")
				}
				return k.with(n, k.key(key), "")
			}
			w := newWorld(t, settings{})
			k := w.createKeyed("wait='0'")
			w.backend.stream().send(payload(1))
			k.post(k.right(1, ""))
			w.wantXML("of one answered", k.post(wrong(k, 1)), terminal("item-not-found"))
			w.wantReceived("then", "closed")
			w.wantXML("again", k.post(wrong(k, 1)), terminal("item-not-found"))

			k = w.createKeyed("")
			held := k.begin(k.right(1, ""))
			w.wantXML("of one held", k.post(wrong(k, 1)), terminal("item-not-found"))
			if a := held.answer(); a.condition() == "" || len(a.payloads) > 0 {
				t.Errorf("held: %q", a.xml)
			}

			k = w.createKeyed("")
			k.begin(k.right(2, ""))
			w.wantXML("of one that waits for its turn", k.post(wrong(k, 2)), terminal("item-not-found"))
		}))
	}

	t.Run("B-15.12 what is left at the end is for the holder of the keys", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		for _, right := range []bool{false, true} {
			k := w.createKeyed("")
			w.backend.stream().send(payload(1))
			w.backend.stream().Session().Terminate(&transport.Termination{Condition: transport.Shutdown})
			xml := k.at(1, "", "")
			if right {
				xml = k.right(1, "")
			}
			if a := k.post(xml); (len(a.payloads) == 1) != right || a.condition() == "" {
				t.Errorf("right %v: %q", right, a.xml)
			}
		}
	}))

	t.Run("B-15.13 a key without a chain is ignored, and a new one begins none", bubble(func(t *testing.T) {
		w := newWorld(t, settings{})
		c := w.create("wait='0'")
		w.wantXML("key", c.post(c.at(1, "key='x'", "")), empty)
		w.wantXML("newkey", c.post(c.at(2, "newkey='x'", "")), empty)
		w.wantXML("none", c.post(c.at(3, "", "")), empty)
	}))
}
