// Package jetstream keeps topics and sessions on NATS with JetStream, for several
// processes that are to behave as one: an [Engine] for package bus, a [Store] for
// package transport, and [Browsers] for package webpush. Replication, agreement and
// storage are NATS's.
//
// # Topics
//
// All topics are in one stream, with a subject for each. A message of the stream is a
// batch: what was to be published in the topic while the one before was being
// stored. So a topic takes as many messages as its batches hold, however long it
// takes to store one.
//
// Offsets have no gaps though processes publish at the same time: each batch says
// with which offset it begins, and is stored only if the stream's last message of
// the subject is still the one that the publisher knows. Who was too slow reads what
// came between and tries again.
//
// The stream publishes what it has stored once more, on plain subjects of NATS, to
// the processes that have subscribers of the topic and to no others. That may get
// lost; but each batch names the one before, so who misses some reads them from the
// stream.
//
// A command of a client ([bus.Origin]) and an id are in the batch. Whoever publishes
// in a topic has read its last batches, so it knows what was published before, and by
// whom; and since nothing can have come between, nothing is published twice.
//
// # Presence
//
// Each member is a message in a second stream, with the process that it is at.
// Processes say that they are there; the members of one that does not are gone after
// [Away], unless their sessions went on elsewhere by then.
//
// # Sessions
//
// Each session is a message in a third stream; its sequence number is the revision.
package jetstream
