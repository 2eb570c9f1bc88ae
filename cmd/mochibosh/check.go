package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/mochibosh/mochibosh/backends/xmpp"
)

// lookupTimeout is how long check waits for the DNS, in all.
const lookupTimeout = 10 * time.Second

// check explains the settings, which are valid, and looks at the world around.
// It reports whether the gateway could work.
func check(ctx context.Context, in *invocation, w io.Writer) (ok bool) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	fmt.Fprintln(w, "Settings:")
	for _, s := range in.values {
		if s.name != "config" || s.value != "" {
			fmt.Fprintf(w, "  %-20s %-28s %s\n", s.name, s.value, s.source)
		}
	}
	var errs []string
	fmt.Fprintln(w, "\nDomains:")
	routes, _ := parseRoutes(in.XMPP) // validated
	for _, domain := range slices.Sorted(maps.Keys(routes)) {
		r := routes[domain]
		fmt.Fprintf(w, "  %s: %s\n", domain, describeTLS(domain, r))
		where, err := resolve(ctx, domain, r)
		for _, line := range where {
			fmt.Fprintf(w, "    %s\n", line)
		}
		if err != nil {
			errs = append(errs, fmt.Sprintf("xmpp %s: %v", domain, err))
		}
	}
	if len(routes) == 0 {
		fmt.Fprintln(w, "  none")
	}
	if len(in.TLSCert) > 0 {
		fmt.Fprintln(w, "\nCertificates:")
	}
	certificates, err := in.certificates()
	for i, line := range describeAll(certificates) {
		fmt.Fprintf(w, "  %s: %s\n", in.TLSCert[i], line)
	}
	if err != nil {
		errs = append(errs, err.Error())
	}
	if _, err := newPermission(&in.settings, newMetrics(), nil, slog.New(slog.DiscardHandler)); err != nil {
		errs = append(errs, err.Error())
	}
	if _, err := in.renewal(); err != nil {
		errs = append(errs, err.Error())
	}
	if problems := in.problems(time.Now()); len(problems) > 0 {
		fmt.Fprintln(w, "\nProblems:")
		for _, p := range problems {
			fmt.Fprintf(w, "  %s\n", p)
		}
	}
	if len(errs) > 0 {
		fmt.Fprintf(w, "\nErrors:\n  %s\n", strings.Join(errs, "\n  "))
		return false
	}
	fmt.Fprintln(w, "\nIt can be served like this.")
	return true
}

func describeTLS(domain string, r xmpp.Route) string {
	name := cmp.Or(r.ServerName, domain)
	switch {
	case r.TLS == xmpp.NoTLS:
		return "without TLS"
	case r.TLS == xmpp.DirectTLS:
		return "direct TLS, as " + name
	case r.Addr == "":
		return "by SRV records, with TLS as " + name
	}
	return "STARTTLS, as " + name
}

// resolve tells where a domain's server is.
func resolve(ctx context.Context, domain string, r xmpp.Route) (where []string, err error) {
	if r.Addr != "" {
		return addresses(ctx, r.Addr)
	}
	for _, service := range []string{"xmpps-client", "xmpp-client"} {
		if service == "xmpps-client" && r.TLS == xmpp.NoTLS {
			continue
		}
		_, records, err := net.DefaultResolver.LookupSRV(ctx, service, "tcp", domain)
		if err != nil {
			where = append(where, fmt.Sprintf("_%s: %v", service, err))
			continue
		}
		for _, srv := range records {
			where = append(where, fmt.Sprintf("_%s: priority %d, weight %d, %s:%d", service, srv.Priority, srv.Weight, srv.Target, srv.Port))
			if srv.Target != "." {
				more, e := addresses(ctx, net.JoinHostPort(srv.Target, fmt.Sprint(srv.Port)))
				where = append(where, more...)
				if e == nil {
					return where, nil
				}
			}
		}
	}
	more, err := addresses(ctx, net.JoinHostPort(domain, "5222"))
	return append(where, more...), err
}

func addresses(ctx context.Context, address string) ([]string, error) {
	host, port, _ := net.SplitHostPort(address)
	ips, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return nil, err
	}
	for i, ip := range ips {
		ips[i] = net.JoinHostPort(ip, port)
	}
	return []string{address + " is " + strings.Join(ips, ", ")}, nil
}
