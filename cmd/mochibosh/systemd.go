package main

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
)

// A supervisor is systemd, or what speaks like it: sd_notify(3). The zero value
// is nobody, to whom nothing is told.
type supervisor struct {
	socket string        // where it listens
	within time.Duration // how often it wants a sign of life; zero: never
}

// newSupervisor reads the environment that systemd gives to a service of
// Type=notify, and with WatchdogSec.
func newSupervisor(getenv func(string) string) supervisor {
	v := supervisor{socket: getenv("NOTIFY_SOCKET")}
	// sd_watchdog_enabled(3): it may be meant for another process.
	if pid := getenv("WATCHDOG_PID"); v.socket == "" || pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return v
	}
	if us, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64); err == nil && us > 0 {
		v.within = time.Duration(us) * time.Microsecond
	}
	return v
}

// supervisorTimeout is the patience with systemd, should it not read.
const supervisorTimeout = time.Second

// tell sends what is the case, in lines such as "READY=1".
func (v supervisor) tell(lines string) error {
	if v.socket == "" {
		return nil
	}
	// A name that begins with @ is one of the abstract namespace, which Go
	// writes like that, too.
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: v.socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetWriteDeadline(time.Now().Add(supervisorTimeout))
	_, err = c.Write([]byte(lines))
	return err
}

// say tells systemd how the server is. To count the sessions takes the manager's
// lock: a server that hangs there says nothing, and is restarted by the watchdog.
// A server does not go down because nobody hears it.
func (s *server) say(state string) {
	if s.supervisor.socket == "" {
		return
	}
	sessions := s.gateway.manager.Stats().Sessions
	if err := s.supervisor.tell(fmt.Sprintf("%s\nSTATUS=%d sessions", state, sessions)); err != nil {
		s.logger.Warn("systemd is not told", "state", state, "error", err)
	}
}

// beats ticks twice as often as a sign of life is wanted; nil: none is.
func (v supervisor) beats() (<-chan time.Time, func()) {
	if v.within == 0 {
		return nil, func() {}
	}
	t := time.NewTicker(v.within / 2)
	return t.C, t.Stop
}
