package bus

// Trace is told what happens on a [Bus]; nil fields are skipped. The functions are
// called concurrently, some of them with locks: they must neither block nor call
// the bus.
type Trace struct {
	// Published is called for each publication that was taken, with the bytes of
	// its data; a duplicate is one that was published before.
	Published func(bytes int, duplicate bool)
	// Delivered is called with how many messages were handed to sessions, some at
	// a time.
	Delivered func(messages int)
	// Slow is called when a subscriber's session takes no more, with what its topic
	// does about that.
	Slow func(Policy)
	// Dropped is called when subscribers are told that messages are missing, with
	// how many, of all of them together; for an unknown number, one each.
	Dropped func(p Policy, messages uint64)
	// Refused is called for each command of a client that is refused: with its op,
	// or "other" if there is no such.
	Refused func(op string, code Code)
	// Limited is called when a limit is reached, with the name of its field in
	// [Options]: MaxMessage, MaxInfo, MaxTopics, MaxTopicsPerSession, MaxPending
	// (a publisher waits), MaxHistoryBytes (a message goes), MaxReceipts and
	// MaxReceiptsPerSession (one never comes).
	Limited func(option string)
}

func (t *Trace) published(bytes int, duplicate bool) {
	if t.Published != nil {
		t.Published(bytes, duplicate)
	}
}

func (t *Trace) delivered(messages int) {
	if t.Delivered != nil && messages > 0 {
		t.Delivered(messages)
	}
}

func (t *Trace) slow(p Policy) {
	if t.Slow != nil {
		t.Slow(p)
	}
}

func (t *Trace) dropped(p Policy, from, to Position, subscribers int) {
	if t.Dropped == nil || subscribers == 0 {
		return
	}
	n := uint64(1)
	if from.Epoch == to.Epoch && to.Offset > from.Offset {
		n = to.Offset - from.Offset
	}
	t.Dropped(p, n*uint64(subscribers))
}

func (t *Trace) limited(option string) {
	if t.Limited != nil {
		t.Limited(option)
	}
}

func (t *Trace) refused(op string, code Code) {
	if t.Refused == nil {
		return
	}
	switch op {
	case "subscribe", "unsubscribe", "publish", "presence", "refresh":
	default:
		op = "other"
	}
	t.Refused(op, code)
}
