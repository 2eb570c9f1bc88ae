package main

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
)

const (
	// adminSecret begins a key for the admin page: so it is told from a token.
	adminSecret = "ma_"
	// adminHash begins its hash in the file. Keys are long and random, so a quick
	// hash does.
	adminHash = "sha256:"
)

// An adminKey is somebody who may see the admin page: NAME HASH in a file.
type adminKey struct {
	name string
	hash [sha256.Size]byte
}

// newAdminKey makes a key, and returns what its owner has to know.
func newAdminKey(name string) (k adminKey, secret string) {
	secret = adminSecret + rand.Text()
	return adminKey{name, sha256.Sum256([]byte(secret))}, secret
}

func (k adminKey) String() string { return k.name + " " + adminHash + hex.EncodeToString(k.hash[:]) }

// adminKeys are all that there are.
type adminKeys []adminKey

// readAdminKeys reads the file; no file has none.
func readAdminKeys(file string) (adminKeys, error) {
	if file == "" {
		return nil, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("admin-key-file: %w", err)
	}
	keys, err := parseAdminKeys(string(data))
	if err == nil && len(keys) == 0 {
		err = errors.New("no key is in it")
	}
	if err != nil {
		return nil, fmt.Errorf("admin-key-file %s: %w", file, err)
	}
	return keys, nil
}

// parseAdminKeys reads keys, one a line. Empty lines, and those that begin with #,
// say nothing.
func parseAdminKeys(text string) (all adminKeys, err error) {
	var errs []error
	names := make(map[string]bool)
	for i, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		k, err := parseAdminKey(line)
		if err == nil && names[k.name] {
			err = fmt.Errorf("the name %q is there twice", k.name)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("line %d: %w", i+1, err))
			continue
		}
		names[k.name] = true
		all = append(all, k)
	}
	return all, errors.Join(errs...)
}

// maxAdminName bounds a name, so that it fits into that of a user.
const maxAdminName = 100

func parseAdminKey(line string) (k adminKey, err error) {
	fields := strings.Fields(line)
	k.name = fields[0]
	if len(k.name) > maxAdminName {
		return k, fmt.Errorf("the name is longer than %d bytes", maxAdminName)
	}
	if len(fields) == 2 {
		digits, ok := strings.CutPrefix(fields[1], adminHash)
		sum, err := hex.DecodeString(digits)
		if ok && err == nil && len(sum) == len(k.hash) {
			copy(k.hash[:], sum)
			return k, nil
		}
	}
	// Not the line: who mistakes the key for its hash would find it in the log.
	return k, errors.New("not a name and a hash that begins with " + adminHash + ", as 'mochibosh key --admin' prints them")
}

// find returns whose key it is; empty: nobody's. It takes as long whichever it is
// of, and if it is none.
func (ks adminKeys) find(secret string) (name string) {
	hash := sha256.Sum256([]byte(secret))
	for _, k := range ks {
		if subtle.ConstantTimeCompare(hash[:], k.hash[:]) == 1 {
			name = k.name
		}
	}
	return name
}
