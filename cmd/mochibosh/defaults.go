package main

import (
	"strconv"
	"time"

	"github.com/alecthomas/kong"

	"github.com/mochibosh/mochibosh/auth"
	"github.com/mochibosh/mochibosh/auth/webhook"
	"github.com/mochibosh/mochibosh/auth/webtoken"
	"github.com/mochibosh/mochibosh/backends/bus"
	"github.com/mochibosh/mochibosh/backends/bus/api"
	"github.com/mochibosh/mochibosh/backends/bus/receipthook"
	"github.com/mochibosh/mochibosh/backends/bus/webpush"
	"github.com/mochibosh/mochibosh/backends/jetstream"
	"github.com/mochibosh/mochibosh/backends/xmpp"
	"github.com/mochibosh/mochibosh/bosh"
	"github.com/mochibosh/mochibosh/internal/httpd"
	"github.com/mochibosh/mochibosh/internal/xmlframe"
	"github.com/mochibosh/mochibosh/nodes"
	"github.com/mochibosh/mochibosh/transport"
	"github.com/mochibosh/mochibosh/transport/push"
	"github.com/mochibosh/mochibosh/websocket"
)

// defaults are those of the packages, for the tags of settings.
func defaults() kong.Vars {
	v := kong.Vars{
		"bosh_hold":               strconv.Itoa(bosh.DefaultHold),
		"bosh_requests":           strconv.Itoa(bosh.DefaultRequests),
		"bosh_repeats":            strconv.Itoa(bosh.DefaultRepeats),
		"websocket_compress_from": strconv.Itoa(websocket.DefaultCompressFrom),
		"bosh_compress_from":      strconv.Itoa(bosh.DefaultCompressFrom),
		"max_body":                size(bosh.DefaultMaxBody).String(),
		"push_max_body":           size(push.DefaultMaxBody).String(),
		"max_stanza":              size(xmpp.DefaultMaxStanza).String(),
		"max_early":               size(xmpp.DefaultMaxEarly).String(),
		"max_streams":             strconv.Itoa(transport.DefaultMaxStreams),
		"max_inbox":               size(transport.DefaultMaxInbox).String(),
		"max_outbox":              size(transport.DefaultMaxOutbox).String(),
		"webhook_concurrent":      strconv.Itoa(webhook.DefaultConcurrent),
		"webhook_max_cached":      strconv.Itoa(webhook.DefaultMaxCached),
		"api_max_body":            size(api.DefaultMaxBody).String(),
		"api_max_batch":           strconv.Itoa(api.DefaultMaxBatch),
		"max_ended":               strconv.Itoa(transport.DefaultMaxEnded),
		"max_answers":             strconv.Itoa(transport.DefaultMaxAnswers),
		"max_header":              size(httpd.DefaultMaxHeader).String(),
		"max_header_lines":        strconv.Itoa(httpd.DefaultMaxFields),
		"body_rate":               strconv.Itoa(bosh.DefaultBodyRate),
		"max_payloads":            strconv.Itoa(xmlframe.DefaultMaxChildren),
		"max_attributes":          strconv.Itoa(xmlframe.DefaultMaxAttributes),
		"max_depth":               strconv.Itoa(xmlframe.DefaultMaxDepth),
		"push_window":             strconv.Itoa(push.DefaultWindow),

		"max_forwards": strconv.Itoa(nodes.DefaultMaxForwards),
		"nats_prefix":  jetstream.DefaultPrefix,

		"max_message":              size(bus.DefaultMaxMessage).String(),
		"max_topic_name":           strconv.Itoa(bus.DefaultMaxTopicName),
		"max_topics":               strconv.Itoa(bus.DefaultMaxTopics),
		"max_topics_per_session":   strconv.Itoa(bus.DefaultMaxTopicsPerSession),
		"max_history":              size(bus.DefaultMaxHistoryBytes).String(),
		"max_pending":              strconv.Itoa(bus.DefaultMaxPending),
		"max_message_ids":          strconv.Itoa(bus.DefaultMaxIDs),
		"max_receipts":             strconv.Itoa(bus.DefaultMaxReceipts),
		"max_receipts_per_session": strconv.Itoa(bus.DefaultMaxReceiptsPerSession),
		"max_members":              strconv.Itoa(bus.DefaultMaxMembers),
		"max_member_info":          size(bus.DefaultMaxInfo).String(),

		"web_push_max_subscriptions": strconv.Itoa(webpush.DefaultMaxSubscriptions),
		"web_push_max_per_user":      strconv.Itoa(webpush.DefaultMaxSubscriptionsPerUser),
		"web_push_max_topics":        strconv.Itoa(webpush.DefaultMaxTopics),
		"web_push_max_payload":       size(webpush.DefaultMaxPayload).String(),
		"web_push_max_waiting":       strconv.Itoa(webpush.DefaultMaxWaiting),
		"web_push_max_attempts":      strconv.Itoa(webpush.DefaultMaxAttempts),
		"web_push_max_requests":      strconv.Itoa(webpush.DefaultConcurrent),
	}
	for name, d := range map[string]time.Duration{
		"bosh_wait":               bosh.DefaultWait,
		"bosh_inactivity":         bosh.DefaultInactivity,
		"bosh_opening_wait":       bosh.DefaultOpeningWait,
		"bosh_polling":            bosh.DefaultPolling,
		"bosh_max_pause":          bosh.DefaultMaxPause,
		"push_wait":               push.DefaultWait,
		"push_inactivity":         push.DefaultInactivity,
		"jwks_refresh":            webtoken.DefaultRefresh,
		"token_leeway":            webtoken.DefaultLeeway,
		"token_notice":            auth.DefaultNotice,
		"token_grace":             auth.DefaultGrace,
		"webhook_timeout":         webhook.DefaultTimeout,
		"receipt_webhook_timeout": receipthook.DefaultTimeout,
		"receipt_webhook_retry":   receipthook.DefaultRetry,
		"webhook_cache":           webhook.DefaultCacheAge,
		"web_push_max_pause":      webpush.DefaultMaxPause,
		"web_push_max_after":      webpush.DefaultMaxAfter,
		"web_push_timeout":        webpush.DefaultTimeout,
		"connect_timeout":         xmpp.DefaultConnectTimeout,
		"connect_retry":           xmpp.DefaultRetryFor,
		"handshake_timeout":       xmpp.DefaultHandshakeTimeout,
		"stream_timeout":          xmpp.DefaultStreamTimeout,
		"server_write_timeout":    xmpp.DefaultWriteTimeout,
		"server_close_timeout":    xmpp.DefaultCloseTimeout,
		"node_timeout":            nodes.DefaultTimeout,
		"nats_timeout":            jetstream.DefaultTimeout,
	} {
		v[name] = d.String()
	}
	return v
}
