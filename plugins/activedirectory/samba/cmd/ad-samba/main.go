// Command ad-samba runs a Samba Active Directory domain controller until it is
// stopped. It prints one JSON line with its addresses, the same as ad-double.
// It needs root and Debian's Samba packages; without them it says which.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/double/seed"
	"github.com/drawbridge-id/drawbridge/plugins/activedirectory/samba"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "ad-samba:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	flags := flag.NewFlagSet("ad-samba", flag.ContinueOnError)
	flags.SetOutput(stderr)
	var opt samba.Options
	base := flags.String("base", "DC=corp,DC=example,DC=test", "`DN` of the domain")
	flags.StringVar(&opt.Address, "listen", "", "loopback `address` without port, for Samba's ports are fixed; empty: one is chosen")
	flags.StringVar(&opt.AdminPassword, "admin-password", "", "of CN=Administrator; empty: one is made")
	flags.StringVar(&opt.Dir, "dir", "", "`folder` for the domain; empty: a temp folder")
	flags.StringVar(&opt.CacheDir, "cache", "", "`folder` of provisioned templates; empty: below the user's cache folder")
	ldif := flags.String("ldif", "", "`file` of entries to start with")
	var ous []string
	flags.Func("ou", "`name` of an OU to start with, or a path A/B; may be repeated", func(v string) error {
		ous = append(ous, v)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	lower := strings.ToLower(*base)
	if !strings.HasPrefix(lower, "dc=") {
		return fmt.Errorf("--base %s: want a name such as DC=corp,DC=example,DC=test", *base)
	}
	opt.Realm = strings.ReplaceAll(lower[len("dc="):], ",dc=", ".")

	d, err := samba.Start(ctx, opt)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Stop()) }()
	addr := seed.Address{
		LDAPS: d.LDAPS, LDAP: d.LDAP, CA: d.CAFile, Base: d.BaseDN, Bind: d.AdminDN, Password: d.AdminPassword,
		UPN: d.AdminUPN, Realm: d.Realm, SPN: d.SPN, Krb5Conf: d.Krb5Conf,
	}
	if err := addr.Fill(ous, *ldif); err != nil {
		return err
	}
	if err := addr.Print(stdout); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}
