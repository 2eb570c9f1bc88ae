package bus

import (
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/mochibosh/mochibosh/auth"
)

// ServerReceipts is the topic for receipts that are the server's own business:
// clients cannot ask for receipts there. With Options.OnReceipts they are given to
// that, and are no messages.
const ServerReceipts = auth.Reserved + "receipts"

// A ReceiptRequest is what a message remembers of the receipts that its publisher
// asked for, so that those who get it from history give some, too.
type ReceiptRequest struct {
	// To is the topic for the receipts.
	To string
	// ID is that of the publication.
	ID string
}

// A Receipt says that a client has acknowledged a message. Each client that has
// got it gives one, whoever its user is. One that is repeated has the same
// position and member: that may be after a restart, or when the client asked for
// the message again.
type Receipt struct {
	Topic string
	Position
	// ID is that of the publication, if it had one.
	ID string
	// Member is the client's public id, the same as in presence.
	Member string
	// User is that of the client, in ServerReceipts, and in topics with ShowUsers.
	User string
	// At is when the client acknowledged the message.
	At time.Time
}

// AppendJSON appends the receipt as receipt topics have it.
func (r *Receipt) AppendJSON(b []byte) []byte {
	b = append(b, `{"topic":`...)
	b = appendPosition(appendString(b, r.Topic), r.Position)
	if r.ID != "" {
		b = appendString(append(b, `,"id":`...), r.ID)
	}
	b = appendString(append(b, `,"member":`...), r.Member)
	if r.User != "" {
		b = appendString(append(b, `,"user":`...), r.User)
	}
	b = strconv.AppendInt(append(b, `,"at":`...), r.At.UnixMilli(), 10)
	return append(b, '}')
}

// MarshalJSON implements json.Marshaler.
func (r Receipt) MarshalJSON() ([]byte, error) { return r.AppendJSON(nil), nil }

// request returns what the message remembers of the receipts asked for.
func (p *Publication) request() *ReceiptRequest {
	if p.Receipts == "" {
		return nil
	}
	return &ReceiptRequest{To: p.Receipts, ID: p.ID}
}

// owed is a receipt that is to come: of a frame, until it is given.
type owed struct {
	Receipt // At is zero until the client has acknowledged the message
	to      string
	client  *client
	frame   uint64
}

// debts are the receipts that a client owes.
type debts struct {
	mu  sync.Mutex
	all []*owed // in the order of their frames
}

// owes returns the receipt for a message, or nil if none was asked for.
func (c *client) owes(topic string, at Position, r *ReceiptRequest) *owed {
	if r == nil {
		return nil
	}
	return &owed{Receipt: Receipt{Topic: topic, Position: at, ID: r.ID}, to: r.To, client: c}
}

// put sends something, with the lock held, for which a receipt may be owed. Where
// too many are it is sent all the same, and no receipt will come.
func (c *client) put(p []byte, o *owed) error {
	if o == nil || !c.owe(o) {
		return c.stream.TrySend(p)
	}
	frame, err := c.stream.TrySendFunc(p, o.acked)
	if err != nil {
		o.forget()
		return err
	}
	c.debts.mu.Lock()
	o.frame = frame
	c.debts.mu.Unlock()
	return nil
}

// owe notes a receipt before its message is sent, with the lock held. It reports
// false if too many are owed already.
func (c *client) owe(o *owed) bool {
	if c.debts == nil {
		c.debts = new(debts)
	}
	o.Member, o.User = c.public(), c.receiptUser(o.to)
	c.debts.mu.Lock()
	defer c.debts.mu.Unlock()
	if len(c.debts.all) >= c.bus.opts.MaxReceiptsPerSession {
		c.bus.opts.Trace.limited("MaxReceiptsPerSession")
		return false
	}
	if !c.bus.receipts.enter() {
		return false
	}
	c.debts.all = append(c.debts.all, o)
	return true
}

// receiptUser returns the user, if those who get the receipts are to see who that
// is.
func (c *client) receiptUser(to string) string {
	if to == ServerReceipts && c.badge != nil {
		return c.badge.Principal().User
	}
	return c.shown(to)
}

// acked is told what became of the message.
func (o *owed) acked(err error) {
	if err != nil {
		o.forget()
		return
	}
	d := o.client.debts
	d.mu.Lock()
	if o.At.IsZero() {
		o.At = time.Now()
	}
	d.mu.Unlock()
	o.client.bus.receipts.give(o)
}

// forget notes that the receipt was given, or never will be.
func (o *owed) forget() {
	d := o.client.debts
	d.mu.Lock()
	defer d.mu.Unlock()
	if i := slices.Index(d.all, o); i >= 0 {
		d.all = slices.Delete(d.all, i, i+1)
		o.client.bus.receipts.leave()
	}
}

// ---- what outlives the process

// A savedReceipt is an owed one in a token.
type savedReceipt struct {
	Topic string `json:"topic"`
	Position
	ID    string `json:"id,omitempty"`
	To    string `json:"to"`
	Frame uint64 `json:"frame"`
	At    int64  `json:"at,omitempty"` // in ms since 1970; zero: not acknowledged
}

// saved returns all that is owed, with the client's lock held.
func (d *debts) saved() []savedReceipt {
	if d == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make([]savedReceipt, len(d.all))
	for i, o := range d.all {
		all[i] = savedReceipt{Topic: o.Topic, Position: o.Position, ID: o.ID, To: o.to, Frame: o.frame}
		if !o.At.IsZero() {
			all[i].At = o.At.UnixMilli()
		}
	}
	return all
}

// owesStill has a client that goes on here give what it owed before.
func (c *client) owesStill(all []savedReceipt) {
	for _, s := range all {
		o := c.owes(s.Topic, s.Position, &ReceiptRequest{To: s.To, ID: s.ID})
		if o.frame = s.Frame; s.At != 0 {
			o.At = time.UnixMilli(s.At)
		}
		c.mu.Lock()
		known := c.owe(o)
		c.mu.Unlock()
		if known {
			c.stream.AckedFunc(s.Frame, o.acked)
		}
	}
}
