package main

import (
	"time"

	"github.com/mochibosh/mochibosh/backends/disk"
)

// Settings are all that can be set. Each is a flag, an environment variable
// with MOCHIBOSH_ in front, and a name in the configuration file.
type settings struct {
	Listen         []string      `default:"127.0.0.1:8888" placeholder:"ADDR" group:"net" help:"Address for HTTP. Repeats; 'off' for none."`
	TLSListen      []string      `name:"tls-listen" placeholder:"ADDR" group:"net" help:"Address for HTTPS. Repeats."`
	TLSCert        []string      `name:"tls-cert" placeholder:"FILE" group:"net" help:"Certificate chain in PEM. Repeats, with --tls-key; chosen by the name that a client asks for."`
	TLSKey         []string      `name:"tls-key" placeholder:"FILE" group:"net" help:"Private key in PEM. Repeats."`
	TrustedProxies []string      `default:"127.0.0.0/8,::1" placeholder:"CIDR" group:"net" help:"Networks of reverse proxies that are believed who the client is."`
	Forwarded      string        `enum:"either,forwarded,x-forwarded-for" default:"either" group:"net" help:"Header in which the proxies tell: either, forwarded or x-forwarded-for."`
	ProxyProtocol  bool          `group:"net" help:"Trusted proxies begin each connection with the PROXY protocol, version 1 or 2."`
	PublicURL      string        `name:"public-url" placeholder:"URL" group:"net" help:"Where clients find this server, for host-meta: https://gw.example; {host} stands for the host that was asked. Default: that host."`
	AllowOrigin    []string      `placeholder:"ORIGIN" group:"net" help:"Origin of pages that may connect, such as https://chat.example, besides the server's own. Repeats; * for any, null for local files."`
	HeaderTimeout  time.Duration `default:"10s" group:"net" help:"How long the header of a request may take."`
	BodyTimeout    time.Duration `default:"30s" group:"net" help:"How long the body of a request may take."`
	WriteTimeout   time.Duration `default:"30s" group:"net" help:"How long a client may take to read an answer."`
	IdleTimeout    time.Duration `default:"5m" group:"net" help:"How long a connection may be idle between requests."`
	BodyRate       int           `default:"${body_rate}" group:"net" help:"Bytes of a body that have to arrive in a second, from its eleventh second on. 0: any number."`
	MaxHeader      size          `default:"${max_header}" group:"net" help:"Size of a request's header."`
	MaxHeaderLines int           `default:"${max_header_lines}" group:"net" help:"Lines of a request's header."`

	MaxConnections      int `default:"100000" group:"net" help:"Connections at once, over all listeners. More are closed at once."`
	MaxConnectionsPerIP int `name:"max-connections-per-ip" default:"4000" group:"net" help:"Connections at once of one address, or one /64 of IPv6, but for trusted proxies. More are closed at once. 0: any number."`

	XMPP                  []string      `name:"xmpp" placeholder:"DOMAIN" group:"xmpp" help:"XMPP domain that is served: DOMAIN[=HOST:PORT][?tls=off|starttls|direct&ca=FILE&name=NAME&proxy=v1|v2]. Without an address its SRV records tell. Repeats."`
	MaxStanza             size          `default:"${max_stanza}" group:"xmpp" help:"Size of a stanza, in both directions."`
	ConnectTimeout        time.Duration `default:"${connect_timeout}" group:"xmpp" help:"How long a look-up, and each try to connect to a server, may take."`
	ConnectRetry          time.Duration `default:"${connect_retry}" group:"xmpp" help:"How long a server that cannot be connected to is tried again. Negative: not at all."`
	MaxEarly              size          `default:"${max_early}" group:"xmpp" help:"Bytes that a client may send after it has logged in, before it restarts its stream."`
	HandshakeTimeout      time.Duration `default:"${handshake_timeout}" group:"xmpp" help:"How long TLS with a server may take to begin."`
	StreamTimeout         time.Duration `default:"${stream_timeout}" group:"xmpp" help:"How long a server may take for each step of opening a stream."`
	XMPPWriteTimeout      time.Duration `name:"xmpp-write-timeout" default:"${server_write_timeout}" group:"xmpp" help:"How long a server may take to read a stanza."`
	XMPPCloseTimeout      time.Duration `name:"xmpp-close-timeout" default:"${server_close_timeout}" group:"xmpp" help:"How long a server may take to end its stream."`
	XMPPKeepAlive         time.Duration `name:"xmpp-keep-alive" default:"0s" group:"xmpp" help:"How often a space is sent on idle streams to servers. 0: never."`
	WebSocketPing         time.Duration `name:"websocket-ping" default:"25s" group:"xmpp" help:"How often an idle WebSocket is pinged."`
	WebSocketCompress     bool          `name:"websocket-compress" group:"xmpp" help:"Compress messages on WebSockets, each once for all that get it."`
	WebSocketCompressFrom int           `name:"websocket-compress-from" default:"${websocket_compress_from}" group:"xmpp" help:"Bytes from which messages on WebSockets are compressed."`

	BOSHWait         time.Duration `name:"bosh-wait" default:"${bosh_wait}" group:"bosh" help:"Longest hold of a request. Negative: none is held."`
	BOSHHold         int           `name:"bosh-hold" default:"${bosh_hold}" group:"bosh" help:"Requests held at once. Negative: none."`
	BOSHRequests     int           `name:"bosh-requests" default:"${bosh_requests}" group:"bosh" help:"Requests that a client may have open. Negative: 1."`
	BOSHInactivity   time.Duration `name:"bosh-inactivity" default:"${bosh_inactivity}" group:"bosh" help:"How long a session lives without a request. Negative: ten minutes."`
	BOSHPolling      time.Duration `name:"bosh-polling" default:"${bosh_polling}" group:"bosh" help:"Shortest time between two empty requests. Negative: any."`
	BOSHMaxPause     time.Duration `name:"bosh-max-pause" default:"${bosh_max_pause}" group:"bosh" help:"Longest pause that a client may ask for. Negative: no pauses."`
	BOSHOpeningWait  time.Duration `name:"bosh-opening-wait" default:"${bosh_opening_wait}" group:"bosh" help:"How long the answer to the creation of a session waits for the server's features. Negative: not at all."`
	BOSHStreams      bool          `name:"bosh-streams" default:"true" negatable:"" group:"bosh" help:"One session may have several streams, to several servers."`
	BOSHRepeats      int           `name:"bosh-repeats" default:"${bosh_repeats}" group:"bosh" help:"How often one request may be repeated. Negative: any number."`
	BOSHReport       bool          `name:"bosh-report" group:"bosh" help:"Tell clients at once of answers that they seem to miss. Some clients take it badly."`
	BOSHCompressFrom int           `name:"bosh-compress-from" default:"${bosh_compress_from}" group:"bosh" help:"Bytes from which answers are compressed. Negative: none are."`
	MaxBody          size          `default:"${max_body}" group:"bosh" help:"Size of a request's body, compressed or not."`
	MaxPayloads      int           `default:"${max_payloads}" group:"bosh" help:"Payloads of one request."`
	MaxAnswers       int           `default:"${max_answers}" group:"bosh" help:"Answers that a session keeps for requests that come again, if its client acknowledges none."`

	Push           string        `enum:"on,local,off" default:"local" group:"push" help:"Serve push.v1, the event bus and its API: on, off, or local, to clients on this machine only."`
	Dev            bool          `group:"push" help:"For development: everybody may do everything on the event bus, without tokens and keys. Only this machine can be listened on."`
	PushTarget     string        `default:"bus" placeholder:"NAME" group:"push" help:"Name of the event bus as the 'to' of a BOSH stream."`
	PushWait       time.Duration `default:"${push_wait}" group:"push" help:"Longest hold of a poll."`
	PushInactivity time.Duration `default:"${push_inactivity}" group:"push" help:"How long a session lives without poll, stream or socket."`
	PushMaxBody    size          `default:"${push_max_body}" group:"push" help:"Size of an object of the client."`
	Topic          []string      `placeholder:"PATTERN" group:"push" help:"Settings of topics: PATTERN[?history=N|off&age=DURATION&bytes=SIZE&slow=end|drop-oldest|latest-per-key&max-message=SIZE&rate=N&burst=N&publish=server&presence=off&events=off&users=on]. Repeats; the first that matches counts."`
	KnownTopics    bool          `group:"push" help:"There are no topics but those that a --topic matches."`
	PushWindow     int           `default:"${push_window}" group:"push" help:"Messages of a client that may be on their way."`

	Allow             []string      `placeholder:"RULE" group:"auth" help:"What clients may do on the event bus: WHO CAPABILITY... on PATTERN..., where WHO is anonymous, users, anybody or user:NAME, and capabilities are subscribe, publish, history and presence. Repeats."`
	TokenKey          []string      `placeholder:"FILE" group:"auth" help:"Key for the signatures of tokens (JWT): a public key in PEM, a JWK set, or a secret of 32 bytes or more. Repeats."`
	TokenJWKS         string        `name:"token-jwks" placeholder:"URL" group:"auth" help:"Where a JWK set with such keys is."`
	TokenJWKSRefresh  time.Duration `name:"token-jwks-refresh" default:"${jwks_refresh}" group:"auth" help:"How old that set may be before it is fetched again."`
	TokenIssuer       string        `placeholder:"NAME" group:"auth" help:"What iss of a token must be."`
	TokenAudience     string        `placeholder:"NAME" group:"auth" help:"What must be in aud of a token."`
	TokenLeeway       time.Duration `default:"${token_leeway}" group:"auth" help:"How far the clocks of others may differ."`
	TokenNoExpiry     bool          `group:"auth" help:"Accept tokens that never expire."`
	TokenNotice       time.Duration `default:"${token_notice}" group:"auth" help:"How long before its token expires a client is told so."`
	TokenGrace        time.Duration `default:"${token_grace}" group:"auth" help:"How long a session goes on after its token expired."`
	Webhook           string        `placeholder:"URL" group:"auth" help:"Application that is asked whose tokens are, and what nothing else allows."`
	WebhookSecret     string        `placeholder:"FILE" group:"auth" help:"Secret that it is shown, as a bearer token."`
	WebhookTimeout    time.Duration `default:"${webhook_timeout}" group:"auth" help:"How long it may take to answer, waiting for its turn included."`
	WebhookConcurrent int           `default:"${webhook_concurrent}" group:"auth" help:"Questions to it at once; others wait."`
	WebhookCache      time.Duration `default:"${webhook_cache}" group:"auth" help:"How long its answers hold where they do not say. 0: not at all."`
	WebhookMaxCached  int           `default:"${webhook_max_cached}" group:"auth" help:"Answers that are remembered."`
	APIKeys           string        `name:"api-keys" placeholder:"FILE" group:"auth" help:"Keys for the API, one a line, as 'mochibosh key' makes them."`
	APIRate           float64       `name:"api-rate" default:"0" group:"auth" help:"Messages a second that one key may publish. 0: any number."`
	APIMaxBody        size          `name:"api-max-body" default:"${api_max_body}" group:"auth" help:"Size of a request to the API."`
	APIMaxBatch       int           `name:"api-max-batch" default:"${api_max_batch}" group:"auth" help:"Messages in one request to the API."`

	MaxMessage            size          `default:"${max_message}" group:"push" help:"Size of a message on the event bus."`
	MaxTopicName          int           `default:"${max_topic_name}" group:"push" help:"Bytes of a topic's name."`
	MaxTopics             int           `default:"${max_topics}" group:"push" help:"Topics at once."`
	MaxTopicsPerSession   int           `default:"${max_topics_per_session}" group:"push" help:"Topics that one session may be subscribed to."`
	MaxHistory            size          `default:"${max_history}" group:"push" help:"Bytes of the histories of all topics; above, the oldest messages go. Never more than half of memory-budget."`
	MaxPending            int           `default:"${max_pending}" group:"push" help:"Messages of a topic that wait to be handed to its subscribers; above, publishers wait."`
	MaxMessageIDs         int           `name:"max-message-ids" default:"${max_message_ids}" group:"push" help:"Ids of messages that are remembered, to publish none twice."`
	MaxMembers            int           `default:"${max_members}" group:"push" help:"Members of a topic that one answer names."`
	MaxMemberInfo         size          `default:"${max_member_info}" group:"push" help:"Size of what a member of a topic says of itself."`
	MaxReceipts           int           `default:"${max_receipts}" group:"push" help:"Receipts that are waited for, or are to be published or posted. Above, messages are delivered and their receipts never come."`
	MaxReceiptsPerSession int           `default:"${max_receipts_per_session}" group:"push" help:"Receipts that are waited for from one session."`
	ReceiptWebhook        string        `placeholder:"URL" group:"push" help:"Application to which the receipts for $receipts are posted. Default: they are messages there."`
	ReceiptWebhookSecret  string        `placeholder:"FILE" group:"push" help:"Secret that signs them, as Standard Webhooks has it."`
	ReceiptWebhookTimeout time.Duration `default:"${receipt_webhook_timeout}" group:"push" help:"How long it may take to answer."`
	ReceiptWebhookRetry   time.Duration `default:"${receipt_webhook_retry}" group:"push" help:"How long receipts are posted again that it does not take. 0: not at all."`

	WebPushKey              string        `placeholder:"FILE" group:"push" help:"Private key by which push services know this server, as 'mochibosh vapid' makes it. Default: there is no Web Push."`
	WebPushSubject          string        `placeholder:"URL" group:"push" help:"How operators of push services reach you: mailto:ops@chat.example, or an https URL."`
	WebPushHost             []string      `placeholder:"HOST" group:"push" help:"Push service that may be posted to: a name, *. and the end of names, or *. Default: those of Chrome, Edge, Firefox and Safari. Repeats."`
	WebPushNetwork          []string      `placeholder:"CIDR" group:"push" help:"Network that push services may be in although it is not public, on any port. Repeats."`
	WebPushCA               string        `name:"web-push-ca" placeholder:"FILE" group:"push" help:"Certificates that sign those of push services, in PEM. Default: those of the system."`
	WebPushMaxSubscriptions int           `default:"${web_push_max_subscriptions}" group:"push" help:"Push subscriptions of all users."`
	WebPushMaxPerUser       int           `default:"${web_push_max_per_user}" group:"push" help:"Push subscriptions of one user. With more, the oldest is forgotten."`
	WebPushMaxTopics        int           `default:"${web_push_max_topics}" group:"push" help:"Topics of one push subscription."`
	WebPushMaxPayload       size          `default:"${web_push_max_payload}" group:"push" help:"Size of a notification. There is room for 3993 bytes."`
	WebPushMaxWaiting       int           `default:"${web_push_max_waiting}" group:"push" help:"Notifications that wait to be sent, or for an acknowledgement. More are not sent."`
	WebPushMaxAttempts      int           `default:"${web_push_max_attempts}" group:"push" help:"How often one is sent to a push service that does not take it."`
	WebPushMaxPause         time.Duration `default:"${web_push_max_pause}" group:"push" help:"Longest time between two attempts. A push service that wants a longer one is not asked again."`
	WebPushMaxAfter         time.Duration `default:"${web_push_max_after}" group:"push" help:"Longest time that a notification may wait for an acknowledgement."`
	WebPushMaxRequests      int           `default:"${web_push_max_requests}" group:"push" help:"Requests to push services at once; others wait."`
	WebPushTimeout          time.Duration `default:"${web_push_timeout}" group:"push" help:"How long one may take."`

	MaxSessions        int          `default:"100000" group:"limits" help:"Sessions at once. New ones get 503."`
	MaxSessionsPerIP   int          `name:"max-sessions-per-ip" default:"1000" group:"limits" help:"Sessions at once of one address, or one /64 of IPv6. New ones get 429. 0: any number."`
	MaxSessionsPerUser int          `default:"100" group:"limits" help:"Sessions at once of one user, where users sign in. New ones get 429. 0: any number."`
	SessionRate        int          `default:"600" group:"limits" help:"New sessions a minute of one address. More get 429. 0: any number."`
	SignInFailureRate  int          `name:"signin-failure-rate" default:"60" group:"limits" help:"Sign-ins a minute of one address that may fail, with a token or a key of the API that is none. More get 429, good tokens too. 0: any number."`
	MaxEnded           int          `default:"${max_ended}" group:"limits" help:"Sessions that are over, and remembered to say so to late requests."`
	MaxStreams         int          `default:"${max_streams}" group:"limits" help:"Streams of one session."`
	MaxInbox           size         `default:"${max_inbox}" group:"limits" help:"Bytes of a session that wait for its backends."`
	MaxOutbox          size         `default:"${max_outbox}" group:"limits" help:"Bytes of a session that wait for its client."`
	MemoryBudget       memoryBudget `default:"auto" placeholder:"SIZE" group:"limits" help:"Bytes that may wait in all sessions, histories and connections together. Above, new sessions get 503, then those with most go. auto: half of memory-limit, or off if there is none."`
	MaxDepth           int          `default:"${max_depth}" group:"limits" help:"How deep XML and JSON may nest."`
	MaxAttributes      int          `default:"${max_attributes}" group:"limits" help:"Attributes of one element, declarations included."`

	LogFormat        string        `enum:"text,json" default:"text" group:"ops" help:"text or json."`
	LogLevel         string        `enum:"debug,info,warn,error" default:"info" group:"ops" help:"debug (with each request), info, warn or error."`
	Metrics          string        `enum:"on,local,off" default:"local" group:"ops" help:"Serve /metrics: on, off, or local, to clients on this machine only."`
	OTLPEndpoint     string        `name:"otlp-endpoint" env:"MOCHIBOSH_OTLP_ENDPOINT,OTEL_EXPORTER_OTLP_ENDPOINT" placeholder:"URL" group:"ops" help:"Collector of OpenTelemetry that gets spans of the API and of webhooks, by OTLP over HTTP: http://127.0.0.1:4318. The variable OTEL_EXPORTER_OTLP_ENDPOINT counts too. Default: there are no spans."`
	GCPercent        gcPercent     `name:"gc-percent" env:"MOCHIBOSH_GC_PERCENT,GOGC" default:"auto" placeholder:"PERCENT" group:"ops" help:"How much memory may grow before garbage is collected, in percent of what is in use; more costs memory and saves CPU. auto: 100, but a busy server may have 16 MiB of garbage, and a quiet one gives its back. off: only at the memory limit. The variable GOGC counts too."`
	MemoryLimit      memoryLimit   `env:"MOCHIBOSH_MEMORY_LIMIT,GOMEMLIMIT" default:"off" placeholder:"SIZE" group:"ops" help:"Size of memory from which garbage is collected more often, to stay below; it is no hard limit. The variable GOMEMLIMIT counts too."`
	Console          string        `enum:"on,local,off" default:"off" group:"ops" help:"Serve the console for XMPP at /console/: on, off, or local, to clients on this machine only."`
	AdminKeyFile     string        `placeholder:"FILE" group:"ops" help:"Keys for the admin page at /admin/, one a line, as 'mochibosh key --admin' makes them. Default: there is no such page. It is where push is served."`
	AdminMaxRows     int           `default:"100" group:"ops" help:"Rows of one list on the admin page; more are on further pages."`
	ShutdownDelay    time.Duration `default:"0s" group:"ops" help:"How long /readyz says no before clients are let go."`
	ShutdownSpread   time.Duration `default:"1s" group:"ops" help:"Time over which clients are let go, one after the other; they are asked to come back after as long, and a second."`
	ShutdownTimeout  time.Duration `default:"20s" group:"ops" help:"How long the end, or the saving, of all sessions may take."`
	ShutdownRedirect string        `placeholder:"URL" group:"ops" help:"Where clients of XMPP servers are to go on when this server goes away: https://gw2.example. Default: nowhere in particular."`

	StateDir           string          `placeholder:"DIR" group:"state" help:"Directory in which sessions with the event bus, and what the bus knows, outlive a restart. Default: they end with the process."`
	Durability         disk.Durability `default:"none" group:"state" help:"What outlives an end without notice: none; interval, all but what a failure of the machine takes; or exchange, all."`
	DurabilityInterval time.Duration   `default:"1s" group:"state" help:"With durability interval: how often what was written is forced to the disk."`
	StateCompactFrom   size            `default:"64MiB" group:"state" help:"Size of the state file below which it is not written anew, whatever is out of date in it."`

	NATS              []string      `name:"nats" placeholder:"URL" group:"nats" help:"NATS, on which several servers have sessions and topics in common: embedded, in this process, or nats://HOST:PORT of a server of it. Repeats. Default: there are no others."`
	Node              string        `placeholder:"NAME" group:"nats" help:"Name of this server among them; no two have the same."`
	NodeTimeout       time.Duration `default:"${node_timeout}" group:"nats" help:"How long a server may be silent before others take over its sessions."`
	MaxForwards       int           `default:"${max_forwards}" group:"nats" help:"Requests at once that wait here for other servers, and that wait here for clients of others. More get 503."`
	NATSRoutes        []string      `name:"nats-routes" placeholder:"ADDR" group:"nats" help:"With embedded: nats-cluster-listen of all servers. Repeats. Default: it is alone."`
	NATSClusterListen string        `name:"nats-cluster-listen" placeholder:"ADDR" group:"nats" help:"With nats-routes: address for the others' NATS."`
	NATSSecret        string        `name:"nats-cluster-secret" placeholder:"FILE" group:"nats" help:"Secret that they show each other."`
	NATSStoreDir      string        `name:"nats-store-dir" placeholder:"DIR" group:"nats" help:"With embedded: where it keeps everything. Default: nats in state-dir."`
	NATSReplicas      int           `name:"nats-replicas" default:"0" group:"nats" help:"How many servers of NATS keep each message. 0: three, or one if there are less."`
	NATSPrefix        string        `name:"nats-prefix" default:"${nats_prefix}" group:"nats" help:"Beginning of all names there."`
	NATSTimeout       time.Duration `name:"nats-timeout" default:"${nats_timeout}" group:"nats" help:"How long NATS may take to keep something; then clients are asked to repeat it."`
	NATSStartTimeout  time.Duration `name:"nats-start-timeout" default:"2m" group:"nats" help:"How long to wait for it at the start."`
	NATSCredentials   string        `name:"nats-credentials" placeholder:"FILE" group:"nats" help:"Credentials for it."`
	NATSCA            string        `name:"nats-ca" placeholder:"FILE" group:"nats" help:"Certificates of who signs its own. Default: those of the system."`
}
