// Package disk keeps sessions, and what the bus's engine in memory knows, in a
// directory: over a restart, and if it is told to, over the end of the process
// without notice and over that of the machine. It is a [transport.Store], and
// the journal of a bus.Memory.
//
// It is one file, in which each batch of records is written behind the last, and
// forced to the disk together: so many exchanges share one wait for the disk,
// and a session can never be there without the messages that it has published.
// When what is out of date in it outweighs the rest, the rest is written anew.
package disk
