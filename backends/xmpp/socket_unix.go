//go:build unix

package xmpp

import "syscall"

const canTryRead = true

// tryRead reads from a socket that does not block.
func tryRead(fd uintptr, p []byte) (n int, again bool, err error) {
	for {
		switch n, err = syscall.Read(int(fd), p); err {
		case syscall.EINTR:
		case syscall.EAGAIN:
			return 0, true, nil
		default:
			return n, false, err
		}
	}
}
