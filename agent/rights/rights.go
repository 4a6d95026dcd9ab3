// Package rights works out the least rights in Active Directory that the
// configured mappings need, and writes them as commands that a domain's admin
// can read and run: dsacls and PowerShell, for exactly those containers and
// attributes.
//
//	Systems frame: verbs, attributes, containers ─┐
//	guardrail.yaml: bases, destinations, lists  ──┴─► Needed ─► DSACLS, PowerShell
//	                                                       └──► connector: ProbeAccess
//
// Whether the account has them is asked of the directory by the connector.
package rights

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/drawbridge-id/drawbridge/agent/guard"
	connectorv1 "github.com/drawbridge-id/drawbridge/proto/connector/v1"
	linkv1 "github.com/drawbridge-id/drawbridge/proto/link/v1"
)

// Prefix begins the names of a probe's steps that compare rights: what they
// find missing, or too much, is a warning and no failure.
const Prefix = "rights: "

// Needed returns what a system's mapping needs within the guardrail: where the
// mapping's places are worked out from attributes, the guardrail's stand for
// them; what it forbids needs no right.
func Needed(system *linkv1.System, policy *guard.Policy) []*connectorv1.Access {
	rule, named := policy.Systems[system.GetName()]
	var all []*connectorv1.Access
	for _, w := range system.GetWrites() {
		a := &connectorv1.Access{Class: w.GetClass(), Container: w.GetContainer(), Verbs: slices.Clone(w.GetVerbs()), Attributes: slices.Clone(w.GetAttributes())}
		if named {
			narrow(a, &rule)
		}
		containers := []string{a.GetContainer()}
		switch {
		case a.GetContainer() != "" || !named:
		case a.GetClass() == "group":
			containers = groupPlaces(rule.Groups)
		case len(rule.Bases)+len(rule.Destinations) > 0:
			containers = slices.Concat(rule.Bases, rule.Destinations)
			slices.Sort(containers)
			containers = slices.Compact(containers)
		}
		for _, c := range containers {
			if len(a.GetVerbs()) > 0 {
				all = append(all, &connectorv1.Access{Class: a.GetClass(), Container: c, Verbs: a.GetVerbs(), Attributes: a.GetAttributes()})
			}
		}
	}
	return all
}

// narrow takes away what the guardrail denies.
func narrow(a *connectorv1.Access, rule *guard.System) {
	if rule.Verbs != nil {
		a.Verbs = slices.DeleteFunc(a.Verbs, func(v string) bool { return !slices.Contains(rule.Verbs, v) })
	}
	create, limitedCreate := rule.Attributes["create"]
	modify, limitedModify := rule.Attributes["modify"]
	if limitedCreate && limitedModify {
		a.Attributes = slices.DeleteFunc(a.Attributes, func(name string) bool {
			return !slices.ContainsFunc(slices.Concat(create, modify), func(n string) bool { return strings.EqualFold(n, name) })
		})
	}
}

// groupPlaces are the groups, or the containers of groups, that may be granted.
func groupPlaces(groups []string) []string {
	var places []string
	for _, g := range groups {
		if !strings.HasPrefix(g, "S-") {
			places = append(places, strings.TrimPrefix(g, "below "))
		}
	}
	if len(places) == 0 {
		return []string{""}
	}
	return places
}

// Account returns the service account of a system as Windows takes it, "" where
// the settings name it otherwise (by a DN).
func Account(system *linkv1.System) string {
	var s struct {
		Bind     string `json:"bind"`
		Kerberos struct {
			Realm string `json:"realm"`
		} `json:"kerberos"`
	}
	if json.Unmarshal([]byte(system.GetSettings()), &s) != nil {
		return ""
	}
	switch {
	case strings.ContainsAny(s.Bind, `@\`) && !strings.Contains(s.Bind, "="):
		return s.Bind
	case s.Kerberos.Realm != "" && s.Bind != "" && !strings.Contains(s.Bind, "="):
		return s.Bind + "@" + s.Kerberos.Realm
	}
	return ""
}

// A Grant is one right on one container.
type Grant struct {
	Container string
	Right     string // CC, DC, WP or CA, as dsacls calls them
	Object    string // class, attribute, or name of the extended right
	Class     string // of the objects it is for; "" for CC and DC
	Why       string
}

// Grants returns the rights that the operations need, each once.
func Grants(access []*connectorv1.Access) []Grant {
	var all []Grant
	add := func(g Grant) {
		same := func(other Grant) bool { other.Why = g.Why; return other == g }
		if !slices.ContainsFunc(all, same) {
			all = append(all, g)
		}
	}
	for _, a := range access {
		has := func(verb string) bool { return slices.Contains(a.GetVerbs(), verb) }
		in := a.GetContainer()
		child := func(right, why string) { add(Grant{in, right, a.GetClass(), "", why}) }
		write := func(attribute, why string) { add(Grant{in, "WP", attribute, a.GetClass(), why}) }
		if has("create") || has("move") {
			child("CC", "create, and move to here")
		}
		if has("delete") || has("move") {
			child("DC", "delete, and move away")
		}
		if has("move") {
			write("name", "rename and move")
			write("cn", "rename and move")
		}
		if has("modify") || has("create") {
			for _, name := range a.GetAttributes() {
				if !named(name) {
					write(name, "mapping")
				}
			}
		}
		if has("enable") || has("disable") || has("create") && strings.EqualFold(a.GetClass(), "user") {
			write("userAccountControl", "enable and disable")
		}
		if has("password") || has("create") && strings.EqualFold(a.GetClass(), "user") {
			add(Grant{in, "CA", "Reset Password", a.GetClass(), "passwords"})
			write("pwdLastSet", "passwords that must be changed")
		}
		if has("membership") {
			write("member", "join and leave")
		}
	}
	return all
}

// named are attributes that follow from the name, or are no attributes.
func named(name string) bool {
	switch strings.ToLower(name) {
	case "enabled", "container", "name", "cn", "distinguishedname", "memberof", "useraccountcontrol":
		return true
	}
	return false
}

// DSACLS writes grants for an account as dsacls commands.
func DSACLS(grants []Grant, account string) string {
	var b strings.Builder
	for _, g := range grants {
		scope, permission := "S", g.Right+";"+inCommand(g.Object)+";"+inCommand(g.Class)
		if g.Class == "" {
			scope, permission = "T", g.Right+";"+inCommand(g.Object)
		}
		if strings.HasPrefix(strings.ToUpper(g.Container), "CN=") && g.Object == "member" { // the group itself
			fmt.Fprintf(&b, "dsacls \"%s\" /G \"%s:WP;member\"\r\n", inCommand(g.Container), account)
			continue
		}
		fmt.Fprintf(&b, "dsacls \"%s\" /I:%s /G \"%s:%s\"\r\n", inCommand(g.Container), scope, account, permission)
	}
	return b.String()
}

// inCommand keeps a text, which may come from the cloud, from being more to the
// shell than part of one argument.
func inCommand(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune("\"%!^&|<>", r) {
			return '?'
		}
		return r
	}, text)
}

const prologue = `Import-Module ActiveDirectory
$account = New-Object System.Security.Principal.NTAccount %s
$guid = @{}
Get-ADObject -SearchBase (Get-ADRootDSE).schemaNamingContext -LDAPFilter '(schemaIDGUID=*)' -Properties lDAPDisplayName, schemaIDGUID |
  ForEach-Object { $guid[$_.lDAPDisplayName] = [guid]$_.schemaIDGUID }
$guid['Reset Password'] = [guid]'00299570-246d-11d0-a768-00aa006e0529'
$guid[''] = [guid]::Empty
function Grant($where, $right, $what, $class, $scope) {
  $acl = Get-Acl "AD:\$where"
  $acl.AddAccessRule((New-Object System.DirectoryServices.ActiveDirectoryAccessRule $account, $right, 'Allow', $guid[$what], $scope, $guid[$class]))
  Set-Acl "AD:\$where" $acl
}
`

// PowerShell writes grants for an account as a script for the module ActiveDirectory.
func PowerShell(grants []Grant, account string) string {
	var b strings.Builder
	fmt.Fprintf(&b, prologue, single(account))
	names := map[string]string{"CC": "CreateChild", "DC": "DeleteChild", "WP": "WriteProperty", "CA": "ExtendedRight"}
	for _, g := range grants {
		scope, class := "Descendents", g.Class
		switch {
		case g.Class == "":
			scope = "All"
		case strings.HasPrefix(strings.ToUpper(g.Container), "CN=") && g.Object == "member":
			scope, class = "None", ""
		}
		fmt.Fprintf(&b, "Grant %s %s %s %s %s\n", single(g.Container), names[g.Right], single(g.Object), single(class), scope)
	}
	return b.String()
}

// single quotes text so that PowerShell takes it as it is. The curly quotes
// end a text there, too.
func single(text string) string {
	var b strings.Builder
	b.WriteByte('\'')
	for _, r := range text {
		switch {
		case r == '\'' || r >= '‘' && r <= '‛':
			b.WriteRune(r)
		case r < ' ':
			r = ' '
		}
		b.WriteRune(r)
	}
	b.WriteByte('\'')
	return b.String()
}
