package bus

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// model is the bus as naive as can be: every topic is a list of all messages
// ever published, and every client a list of what it is to be told.
type model struct {
	now    time.Duration
	topics map[string][]published
	ids    map[string]published // by topic and id
	subs   []map[string]bool    // by client
	told   [][]string
}

type published struct {
	offset int
	data   string
	at     time.Duration
}

const (
	modelHistory = 3
	modelAge     = 10 * time.Second
)

func (m *model) publish(client int, topic, id, data string) {
	if p, ok := m.ids[topic+id]; ok && id != "" && m.now-p.at < DefaultIDAge {
		m.tell(client, `{"type":"published","topic":%q,"offset":%d,"duplicate":true}`, topic, p.offset)
		return
	}
	p := published{len(m.topics[topic]) + 1, data, m.now}
	m.topics[topic] = append(m.topics[topic], p)
	m.ids[topic+id] = p
	m.tell(client, `{"type":"published","topic":%q,"offset":%d}`, topic, p.offset)
	for c := range m.subs {
		if m.subs[c][topic] {
			m.message(c, topic, p)
		}
	}
}

// subscribe with since of -1 asks for the last count, else for all after since.
func (m *model) subscribe(client int, topic string, since, count int) {
	all := m.topics[topic]
	kept := slices.DeleteFunc(slices.Clone(all), func(p published) bool {
		return p.offset <= len(all)-modelHistory || m.now-p.at >= modelAge
	})
	follow, recovered := kept[max(0, len(kept)-count):], true
	if since >= 0 {
		follow = kept
		if recovered = since <= len(all) && since >= len(all)-len(kept); recovered {
			follow = all[since:]
		}
	}
	m.tell(client, `{"type":"subscribed","topic":%q,"epoch":"E","offset":%d,"recovered":%v}`, topic, len(all)-len(follow), recovered)
	for _, p := range follow {
		m.message(client, topic, p)
	}
	m.subs[client][topic] = true
}

func (m *model) unsubscribe(client int, topic string) {
	if !m.subs[client][topic] {
		m.tell(client, `{"type":"error","code":"not-subscribed","message":"not subscribed to this topic"}`)
		return
	}
	delete(m.subs[client], topic)
	m.tell(client, `{"type":"unsubscribed","topic":%q}`, topic)
}

func (m *model) message(client int, topic string, p published) {
	m.tell(client, `{"type":"message","topic":%q,"offset":%d,"data":%s}`, topic, p.offset, p.data)
}

func (m *model) tell(client int, format string, args ...any) {
	m.told[client] = append(m.told[client], fmt.Sprintf(format, args...))
}

// FuzzModel reads the bytes as a sequence of operations, and wants the bus to
// tell every client what the model tells it.
func FuzzModel(f *testing.F) {
	f.Add([]byte("publish and subscribe, wait, publish again, and come back"))
	f.Add([]byte{0, 0, 0, 8, 16, 24, 1, 9, 17, 2, 3, 4, 250, 251, 252, 5, 13, 6, 7, 255, 0, 1, 2, 3})
	for seed := range 20 {
		ops := make([]byte, 200)
		x := uint32(seed + 1)
		for i := range ops {
			x = x*1664525 + 1013904223
			ops[i] = byte(x >> 24)
		}
		f.Add(ops)
	}
	f.Fuzz(func(t *testing.T, ops []byte) {
		if len(ops) > 300 {
			ops = ops[:300]
		}
		synctest.Test(t, func(t *testing.T) { runModel(t, ops) })
	})
}

func runModel(t *testing.T, ops []byte) {
	const clients = 3
	h := newHouse(t, &Options{Topics: []TopicRule{{Pattern: "*", History: modelHistory, Age: modelAge}}})
	m := &model{topics: map[string][]published{}, ids: map[string]published{}, told: make([][]string, clients)}
	var peers []*peer
	for range clients {
		peers = append(peers, h.join())
		m.subs = append(m.subs, map[string]bool{})
	}
	for i, op := range ops {
		client := int(op>>3) % clients
		p, topic := peers[client], string('t'+rune(op>>5&1))
		arg := int(op>>6) + i%3
		switch op % 8 {
		case 0, 1:
			m.publish(client, topic, "", fmt.Sprint(i))
			p.send(fmt.Sprintf(`{"op":"publish","topic":%q,"data":%d}`, topic, i))
		case 2:
			m.publish(client, topic, fmt.Sprint(arg), fmt.Sprint(i))
			p.send(fmt.Sprintf(`{"op":"publish","topic":%q,"data":%d,"id":"%d"}`, topic, i, arg))
		case 3:
			since := max(0, len(m.topics[topic])+1-arg)
			m.subscribe(client, topic, since, 0)
			p.send(fmt.Sprintf(`{"op":"subscribe","topic":%q,"since":{"epoch":%q,"offset":%d}}`, topic, h.epoch(), since))
		case 4:
			m.subscribe(client, topic, -1, arg)
			p.send(fmt.Sprintf(`{"op":"subscribe","topic":%q,"history":%d}`, topic, arg))
		case 5:
			m.unsubscribe(client, topic)
			p.send(fmt.Sprintf(`{"op":"unsubscribe","topic":%q}`, topic))
		case 6:
			d := time.Duration(arg*arg) * time.Second
			time.Sleep(d)
			m.now += d
		case 7: // the session ends, and a new one comes
			p.session.Terminate(nil)
			synctest.Wait()
			peers[client] = h.join()
			m.subs[client], m.told[client] = map[string]bool{}, nil
		}
		for c, p := range peers {
			slices.SortStableFunc(m.told[c], func(a, b string) int { return rank(a) - rank(b) })
			p.want(fmt.Sprintf("client %d after operation %d (%d)", c, i, op), m.told[c]...)
			m.told[c] = nil
		}
	}
}
