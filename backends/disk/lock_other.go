//go:build !unix

package disk

import (
	"os"
	"path/filepath"
)

// lockDir only marks the directory: here, nobody is kept from it.
func lockDir(dir string) (*os.File, error) {
	return os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
}
