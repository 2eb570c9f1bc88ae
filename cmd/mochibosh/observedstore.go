package main

import (
	"context"
	"errors"
	"time"

	"github.com/mochibosh/mochibosh/transport"
)

// An observedStore counts what a store does, and how long it takes.
type observedStore struct {
	transport.Store
	metrics *metrics
}

// observe returns the store, observed; nil stays nil.
func (m *metrics) observe(s transport.Store) transport.Store {
	if s == nil {
		return nil
	}
	o := observedStore{s, m}
	if f, ok := s.(transport.Fetcher); ok {
		return struct {
			observedStore
			transport.Fetcher
		}{o, f}
	}
	return o
}

func (o observedStore) note(operation string, began time.Time, err error) {
	result := "failed"
	var owned *transport.Owned
	switch {
	case err == nil:
		result = "ok"
	case errors.Is(err, transport.ErrConflict):
		result = "conflict"
	case errors.Is(err, transport.ErrNoSession):
		result = "none"
	case errors.As(err, &owned):
		result = "elsewhere"
	}
	o.metrics.stored.WithLabelValues(operation, result).Inc()
	o.metrics.storing.WithLabelValues(operation).Observe(time.Since(began).Seconds())
}

// Load implements transport.Store.
func (o observedStore) Load(ctx context.Context, id string) (snapshot []byte, revision uint64, err error) {
	began := time.Now()
	snapshot, revision, err = o.Store.Load(ctx, id)
	o.note("load", began, err)
	return snapshot, revision, err
}

// Save implements transport.Store.
func (o observedStore) Save(ctx context.Context, id string, snapshot []byte, revision uint64) (next uint64, err error) {
	began := time.Now()
	next, err = o.Store.Save(ctx, id, snapshot, revision)
	o.note("save", began, err)
	return next, err
}

// Delete implements transport.Store.
func (o observedStore) Delete(ctx context.Context, id string, revision uint64) error {
	began := time.Now()
	err := o.Store.Delete(ctx, id, revision)
	o.note("delete", began, err)
	return err
}
