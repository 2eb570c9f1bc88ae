package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/backends/bus/receipthook"
)

// onReceipts returns what takes the server's own receipts; nil: they are messages.
func (s *settings) onReceipts(m *metrics, tr *tracing) (func(context.Context, []bus.Receipt) error, error) {
	if s.ReceiptWebhook == "" {
		return nil, nil
	}
	secret, err := readSecret("receipt-webhook-secret", s.ReceiptWebhookSecret)
	if err != nil {
		return nil, err
	}
	hook, err := receipthook.New(s.ReceiptWebhook, &receipthook.Options{
		Secret:  secret,
		Timeout: s.ReceiptWebhookTimeout,
		Retry:   cmp.Or(s.ReceiptWebhookRetry, -1),
		Observe: func(_ int, took time.Duration, err error) { m.asked("receipts", took, err) },
		Tracing: tr.spans(),
	})
	if err != nil {
		return nil, fmt.Errorf("receipt-webhook: %w", err)
	}
	return hook.Post, nil
}
