// Package deploy has the files of deploy/ read by those whom they are for, or by
// their libraries where they are no programs for a test: systemd's own analysis,
// and what test/deploy/validate reads for Docker, Compose and Kubernetes. What
// the image is made of, the tests make by the same steps, and run it in a root
// that has nothing else in it.
package deploy
