package transport

// all returns the replies in order.
func (fx *effects) all() []reply {
	if fx.first.to == nil {
		return nil
	}
	return append([]reply{fx.first}, fx.more...)
}
