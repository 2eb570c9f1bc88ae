package xmlframe

// Rename has an inherited namespace From, "" for none, replaced by To. In a
// BOSH body, stanzas of clients that leave the namespace out inherit that of
// the body and are meant to be in jabber:client (XEP-0206 §2).
//
// Inherited is what the element around a child declares: all elements of the
// child that take their namespace from there are renamed together, those
// under a declaration of the child's own are not. A prefix is renamed only if
// it names no attribute of the child, since two attributes might end up with
// one name otherwise. Unprefixed attributes are in no namespace and stay so.
type Rename struct{ From, To string }

// Standalone reports whether Raw by itself means what it means inside the
// element around it, so that AppendStandalone would add nothing to it.
func (c *Child) Standalone(renames ...Rename) bool {
	if c.used.byDefault && renamed(c.outer.defaultSpace(), renames) != "" {
		return false
	}
	return c.used.elements|c.used.attrs == 0 && (c.used.ownLang || c.outer.Lang() == "")
}

// AppendStandalone appends the child so that it means the same by itself:
// declarations of prefixes and of a default namespace that it or an element
// in it uses, and an xml:lang, are added to its start tag if it has them from
// the element around it (RFC 6120 §4.8.5, §4.7.4; RFC 7395 §3.3.3).
// Everything else is Raw, byte for byte. The result is not a part of Raw.
func (c *Child) AppendStandalone(dst []byte, renames ...Rename) []byte {
	dst = append(dst, c.Raw[:c.nameTo]...)
	if c.used.byDefault {
		if space := renamed(c.outer.defaultSpace(), renames); space != "" {
			dst = declaration(dst, "xmlns", "", space)
		}
	}
	for i, n := range c.outer.Namespaces {
		bit := uint64(1) << i
		if (c.used.elements|c.used.attrs)&bit == 0 {
			continue
		}
		space := n.Space
		if c.used.attrs&bit == 0 {
			if to := renamed(space, renames); to != "" { // a prefix is always bound
				space = to
			}
		}
		dst = declaration(dst, "xmlns:", n.Prefix, space)
	}
	if !c.used.ownLang {
		if lang := c.outer.Lang(); lang != "" {
			dst = declaration(dst, "xml:lang", "", lang)
		}
	}
	return append(dst, c.Raw[c.nameTo:]...)
}

func renamed(space string, renames []Rename) string {
	for _, r := range renames {
		if r.From == space {
			return r.To
		}
	}
	return space
}

// declaration appends an attribute to a start tag.
func declaration(dst []byte, name, more, value string) []byte {
	dst = append(dst, ' ')
	dst = append(dst, name...)
	dst = append(dst, more...)
	dst = append(dst, "='"...)
	dst = escape(dst, value, true)
	return append(dst, '\'')
}
