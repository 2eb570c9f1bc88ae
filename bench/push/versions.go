//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// versions tells which programs are measured.
func versions(ctx context.Context) (all []string, err error) {
	add := func(format string, folder string, command ...string) {
		if err != nil {
			return
		}
		cmd := exec.CommandContext(ctx, command[0], command[1:]...)
		cmd.Dir = folder
		var out []byte
		if out, err = cmd.CombinedOutput(); err != nil {
			err = fmt.Errorf("%w: %s; scripts/bench-setup installs what is missing", err, out)
			return
		}
		all = append(all, fmt.Sprintf(format, strings.TrimSpace(string(out))))
	}
	all = append(all, "Go "+strings.TrimPrefix(runtime.Version(), "go"))
	add("nginx %s", "", "sh", "-c", "nginx -v 2>&1 | sed 's|.*nginx/||'")
	add("nchan %s", "", "sh", "-c", "dpkg-query --show --showformat '${source:Upstream-Version}' libnginx-mod-nchan | cut -d+ -f1")
	add("Centrifuge %s", centrifugeFolder, "go", "list", "-m", "-f", "{{.Version}}", "github.com/centrifugal/centrifuge")
	add("Node.js %s", "", "node", "--version")
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(socketioFolder, "node_modules/socket.io/package.json"))
	if err != nil {
		return nil, fmt.Errorf("%w; scripts/bench-setup installs it", err)
	}
	var pkg struct{ Version string }
	err = json.Unmarshal(data, &pkg)
	return append(all, "Socket.IO "+pkg.Version), err
}
