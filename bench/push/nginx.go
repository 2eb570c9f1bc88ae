//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/mochibosh/mochibosh/bench/programs"
	"github.com/mochibosh/mochibosh/internal/xmpptest"
)

// One worker, as one is what its clients can keep busy here, no access log, and
// a history no longer than polls need. The channel is the query's id.
const nginxConf = `load_module modules/ngx_nchan_module.so;
daemon off;
%[4]s
worker_processes 1;
worker_rlimit_nofile 20000;
pid %[1]s/nginx.pid;
error_log stderr error;
events { worker_connections 19900; }
http {
  access_log off;
  keepalive_timeout 300;
  keepalive_requests 1000000000;
  client_body_temp_path %[1]s/body;
  proxy_temp_path %[1]s/proxy;
  fastcgi_temp_path %[1]s/fastcgi;
  uwsgi_temp_path %[1]s/uwsgi;
  scgi_temp_path %[1]s/scgi;
  nchan_shared_memory_size 256M;
  nchan_message_buffer_length 20;
  nchan_message_timeout 30s;
  server {
    listen %[2]s backlog=16384;
    location = /pub { nchan_channel_id $arg_id; nchan_publisher; }
    location = /lp  { nchan_channel_id $arg_id; nchan_subscriber longpoll; nchan_subscriber_timeout %[3]d; }
    location = /sse { nchan_channel_id $arg_id; nchan_subscriber eventsource; nchan_eventsource_ping_interval %[3]d; }
    location = /ws  { nchan_channel_id $arg_id; nchan_subscriber websocket; nchan_websocket_ping_interval %[3]d; }
    location = /    { return 200; }
  }
}
`

func startNginx(ctx context.Context, r *programs.Running, dir string, hold time.Duration) (addr string, err error) {
	if addr, err = xmpptest.FreeAddress(); err != nil {
		return "", err
	}
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;" // the worker uses the folder too
	}
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, nginxConf, dir, addr, int(hold.Seconds()), user), 0o600); err != nil {
		return "", err
	}
	return addr, r.Listening(server, filepath.Join(dir, "nginx.log"), addr, exec.CommandContext(ctx, "nginx", "-c", conf))
}
