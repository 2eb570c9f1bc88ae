//go:build linux

package httpd

import (
	"syscall"
	"unsafe"
)

// This file has the system calls that are made for each message. None of them
// can block, so the scheduler is not told of them: whatever enters a system call
// while little is going on wakes a thread of the runtime to watch over it, and
// that took a fifth of the CPU of a server with single messages to deliver.

// longWrite is from where on a write takes so long that the scheduler had better
// know.
const longWrite = 64 << 10

func sysRead(fd int, p []byte) (n int, err error) {
	return result(syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p))))
}

func sysWrite(fd int, p []byte) (n int, err error) {
	if len(p) >= longWrite {
		return syscall.Write(fd, p)
	}
	return result(syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p))))
}

// sysPeek reads without taking away.
func sysPeek(fd int, p []byte) (n int, err error) {
	return result(syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)),
		syscall.MSG_PEEK|syscall.MSG_DONTWAIT, 0, 0))
}

// sysPoll returns what happened, and does not wait for it.
func sysPoll(epoll int, events []syscall.EpollEvent) (n int, err error) {
	return result(syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(epoll),
		uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), 0, 0, 0))
}

func result(n, _ uintptr, errno syscall.Errno) (int, error) {
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
