package bus

import (
	"bytes"
	"strconv"
)

// joinMessage and leaveMessage tell of a member that came or went.
func joinMessage(topic string, m Member) []byte  { return memberEvent("join", topic, m) }
func leaveMessage(topic string, m Member) []byte { return memberEvent("leave", topic, m) }

func memberEvent(kind, topic string, m Member) []byte {
	b := append(answer(kind, nil, topic), ',')
	return append(appendMember(b, m), '}')
}

// presenceMessage says who is there.
func presenceMessage(ref []byte, topic string, members []Member, count int) []byte {
	return append(appendMembers(answer("presence", ref, topic), members, count), '}')
}

// appendMembers lists members, and how many there are if those are not all.
func appendMembers(b []byte, members []Member, count int) []byte {
	b = append(b, `,"members":[`...)
	for i, m := range members {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendMember(append(b, '{'), m), '}')
	}
	b = append(b, ']')
	if count > len(members) {
		b = append(b, `,"count":`...)
		b = strconv.AppendInt(b, int64(count), 10)
	}
	return b
}

func appendMember(b []byte, m Member) []byte {
	b = append(b, `"member":`...)
	b = appendString(b, m.ID)
	if m.User != "" {
		b = append(b, `,"user":`...)
		b = appendString(b, m.User)
	}
	b = append(b, `,"info":`...)
	return append(b, m.Info...)
}

// roster is who is present in one topic of a [Memory].
type roster struct {
	members []Member
	index   map[string]int
}

// put adds a member, or changes its info; it reports whether that is news.
func (r *roster) put(m Member) (news bool) {
	if i, ok := r.index[m.ID]; ok {
		news = !bytes.Equal(r.members[i].Info, m.Info)
		r.members[i] = m
		return news
	}
	if r.index == nil {
		r.index = make(map[string]int)
	}
	r.index[m.ID] = len(r.members)
	r.members = append(r.members, m)
	return true
}

// remove takes a member out; the last one takes its place.
func (r *roster) remove(id string) (m Member, ok bool) {
	i, ok := r.index[id]
	if !ok {
		return Member{}, false
	}
	m = r.members[i]
	last := len(r.members) - 1
	r.members[i] = r.members[last]
	r.index[r.members[i].ID] = i
	r.members[last] = Member{}
	r.members = r.members[:last]
	delete(r.index, id)
	if last == 0 {
		*r = roster{}
	}
	return m, true
}
