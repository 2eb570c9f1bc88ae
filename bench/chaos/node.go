package main

import (
	"context"
	"errors"
)

func runNode(ctx context.Context, s setup, b *backend, url string) []error {
	return []error{errors.New("not there yet")}
}
