package xmlframe

// Defaults, where [Limits] leave a field zero.
const (
	DefaultMaxBytes      = 1 << 20
	DefaultMaxDepth      = 128
	DefaultMaxAttributes = 64
	DefaultMaxNamespaces = 256
	DefaultMaxChildren   = 1024
)

// Limits bounds what is accepted. A nil *Limits and every field that is zero
// or negative mean the default. It is only read, so one value may serve any
// number of calls.
type Limits struct {
	// MaxBytes is the size of a document, and in a stream of the header and
	// of each element below it. Default 1 MiB.
	MaxBytes int
	// MaxDepth is how deep elements nest; the outermost one of a document, or
	// a stanza in a stream, is at depth 1. Default 128.
	MaxDepth int
	// MaxAttributes is how many attributes one element has, declarations
	// included. Duplicates are looked for pair by pair, so a limit above a
	// few hundred costs time. Default 64.
	MaxAttributes int
	// MaxNamespaces is how many declarations are in scope at once. Whatever
	// it says, an outermost element has at most 64. Default 256.
	MaxNamespaces int
	// MaxChildren is how many children a wrapper has. Default 1024.
	MaxChildren int
}

// maxOuter is how many declarations an outermost element may have: a child
// remembers in one word which of them it uses.
const maxOuter = 64

// orDefault returns l with every default filled in.
func (l *Limits) orDefault() Limits {
	var out Limits
	if l != nil {
		out = *l
	}
	for _, f := range [...]struct {
		field *int
		value int
	}{
		{&out.MaxBytes, DefaultMaxBytes},
		{&out.MaxDepth, DefaultMaxDepth},
		{&out.MaxAttributes, DefaultMaxAttributes},
		{&out.MaxNamespaces, DefaultMaxNamespaces},
		{&out.MaxChildren, DefaultMaxChildren},
	} {
		if *f.field <= 0 {
			*f.field = f.value
		}
	}
	return out
}
