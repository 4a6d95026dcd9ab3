package sql

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/drawbridge-id/drawbridge/plugins/ldap/dc"
	"github.com/drawbridge-id/drawbridge/proto/sealed"
)

// Settings are what an operator sets; README.md has a table of them.
type Settings struct {
	Kind        string                   `json:"kind" required:"true" enum:"postgresql,mysql,sqlserver,oracle,hana,sqlite" anchor:"true" doc:"which database; mysql is MariaDB, too"`
	Server      string                   `json:"server" anchor:"true" doc:"HOST or HOST:PORT of the server; not for sqlite"`
	Database    string                   `json:"database" anchor:"true" doc:"name of the database; for oracle the service"`
	File        string                   `json:"file" format:"path" anchor:"true" doc:"for sqlite: the file, with its whole path on the agent's host"`
	User        string                   `json:"user" anchor:"true" doc:"account that signs in"`
	Password    sealed.Secret            `json:"password" doc:"password of the account"`
	TLS         string                   `json:"tls" default:"verify" enum:"verify,off" anchor:"true" doc:"verify encrypts and checks the server's certificate; off does neither"`
	CA          string                   `json:"ca" anchor:"true" doc:"certificates to trust: path of a PEM file, or the PEM itself; default: those the host trusts"`
	TimeZone    string                   `json:"time_zone" doc:"zone of dates with times that have none in the database, such as Europe/Berlin or UTC; needed where a column has such, and for dated rows"`
	Classes     map[string]ClassSettings `json:"classes" required:"true" doc:"what mappings call a class, and what that is in the database"`
	Connections int                      `json:"connections" default:"8" doc:"connections at most"`
}

// ClassSettings say what a class is in the database.
type ClassSettings struct {
	Table     string                  `json:"table" doc:"table or view, as SQL writes it, such as hr.workers"`
	Query     string                  `json:"query" doc:"SELECT that is read in place of the table, without a semicolon at its end"`
	Where     string                  `json:"where" doc:"SQL condition that rows must meet"`
	Key       string                  `json:"key" required:"true" doc:"column whose value names the row for ever"`
	Types     map[string]string       `json:"types" enum:"text,integer,boolean,timestamp,binary,reference" doc:"for a column what its values are, where the database does not say it, such as boolean for a TINYINT"`
	Effective EffectiveSettings       `json:"effective" doc:"for a table with dated rows, several for a key"`
	Lists     map[string]ListSettings `json:"lists" doc:"attributes with many values, from the rows of another table"`
	Changes   ChangeSettings          `json:"changes" doc:"how to notice changes without reading every row"`

	Writable   []string                     `json:"writable" doc:"columns that may be written; [\"*\"] for all but the key; nothing is written without it"`
	Into       string                       `json:"into" doc:"table that is written, where a query or dated rows are read"`
	Create     bool                         `json:"create" default:"false" doc:"rows may be made"`
	Delete     bool                         `json:"delete" default:"false" doc:"rows may be deleted"`
	Enabled    EnabledSettings              `json:"enabled" doc:"column that says whether the object may be used; it is shown as enabled, true or false"`
	Procedures map[string]ProcedureSettings `json:"procedures" doc:"stored procedures that are called in place of statements, by what they do: create, modify, enable, disable, delete, join, leave"`
}

// EnabledSettings say which value of a column means that an object may be used.
type EnabledSettings struct {
	Column string `json:"column" doc:"the column"`
	On     string `json:"on" doc:"its value in those that may be used, as it is read, such as true or A"`
	Off    string `json:"off" doc:"its value in those that may not; any value but on counts as that"`
}

// ProcedureSettings say how a stored procedure is called.
type ProcedureSettings struct {
	Call       string   `json:"call" doc:"its name, such as hr.set_mail"`
	Parameters []string `json:"parameters" doc:"columns whose values are its parameters, in their order; group is the group to join or leave"`
}

// EffectiveSettings say which of the rows of a key is in force.
type EffectiveSettings struct {
	From     string   `json:"from" doc:"column with the first day of a row"`
	To       string   `json:"to" doc:"column with the last day of a row; empty there means for ever"`
	Sequence string   `json:"sequence" doc:"column whose greatest value decides between rows that begin on one day"`
	Next     []string `json:"next" doc:"columns to show also of the row that comes after the one in force, as next_COLUMN"`
	Ended    bool     `json:"ended" default:"false" doc:"give the last row of those who have none in force and none to come; else they are gone"`
}

// ChangeSettings say how to notice which rows have changed.
type ChangeSettings struct {
	Column  string `json:"column" doc:"column that each change of a row sets to more than before, such as updated_at or a version; index it"`
	Created string `json:"created" doc:"column with the time at which a row was made; with it every deletion is noticed at once"`
}

// ListSettings say where the values of an attribute are.
type ListSettings struct {
	Table    string `json:"table" doc:"table with a row for each value"`
	Key      string `json:"key" doc:"column that holds the key of the object"`
	Value    string `json:"value" doc:"column that holds the value"`
	Class    string `json:"class" doc:"the value is the key of an object of this class, such as the groups"`
	Writable bool   `json:"writable" default:"false" doc:"groups are joined and left by rows of the table; call the attribute memberOf"`
}

// Validate returns all that is wrong with the settings.
func (s Settings) Validate() error {
	var faults []error
	add := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if s.Kind == "sqlite" {
		if !filepath.IsAbs(s.File) {
			add("%q must be a whole path, not %q", "file", s.File)
		}
	} else if s.Server == "" || s.User == "" || s.Database == "" && s.Kind != "hana" {
		add("%q, %q and %q are needed for %s", "server", "user", "database", s.Kind)
	}
	if _, err := time.LoadLocation(s.TimeZone); err != nil {
		add("%q is no time zone: %q", "time_zone", s.TimeZone)
	}
	if _, _, err := dc.Trust(s.CA); err != nil {
		faults = append(faults, err)
	}
	if s.Connections < 2 {
		add("%q must be 2 or more, not %d", "connections", s.Connections)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Classes)) {
		c := s.Classes[name]
		at := func(format string, args ...any) { add("classes."+name+": "+format, args...) }
		if (c.Table == "") == (c.Query == "") {
			at("either %q or %q is needed", "table", "query")
		}
		if c.Changes.Column == "" && c.Changes.Created != "" {
			at("%q is missing in %q", "column", "changes")
		}
		if e := c.Effective; e.From == "" && (e.To != "" || e.Sequence != "" || e.Ended || len(e.Next) > 0) {
			at("%q is missing in %q", "from", "effective")
		} else if e.From != "" && s.TimeZone == "" {
			at("dated rows need %q: a day begins at another instant in each zone", "time_zone")
		}
		c.validateWriting(s.Kind, at)
		for list, l := range c.Lists {
			if l.Table == "" || l.Key == "" || l.Value == "" {
				at("lists.%s needs table, key and value", list)
			}
			if _, known := s.Classes[l.Class]; l.Class != "" && !known {
				at("lists.%s names class %q, which there is not", list, l.Class)
			} else if l.Class == "" && l.Writable {
				at("lists.%s needs %q, that of the groups, to be writable", list, "class")
			}
		}
	}
	return errors.Join(faults...)
}

func (c ClassSettings) validateWriting(kind string, at func(string, ...any)) {
	if c.writes() && c.Into == "" && (c.Query != "" || c.Effective.From != "") {
		at("%q is needed to write: the table, where a query or dated rows are read", "into")
	}
	if e := c.Enabled; (e.Column == "") != (e.On == "") || (e.Column == "") != (e.Off == "") || e.Column != "" && e.On == e.Off {
		at("%q needs column, and on and off, which differ", "enabled")
	}
	lists := 0
	for _, l := range c.Lists {
		if l.Writable {
			lists++
		}
	}
	if lists > 1 {
		at("one of %q can be writable, not %d", "lists", lists)
	}
	for _, does := range slices.Sorted(maps.Keys(c.Procedures)) {
		switch p := c.Procedures[does]; {
		case !slices.Contains([]string{"create", "modify", "enable", "disable", "delete", "join", "leave"}, does):
			at("procedures has %q, which is none of create, modify, enable, disable, delete, join, leave", does)
		case kind == "sqlite":
			at("sqlite has no procedures")
		case p.Call == "":
			at("procedures.%s needs %q", does, "call")
		}
	}
}

// writes tells whether anything of the class may be written.
func (c ClassSettings) writes() bool {
	for _, l := range c.Lists {
		if l.Writable {
			return true
		}
	}
	return len(c.Writable) > 0 || c.Create || c.Delete || c.Enabled.Column != ""
}

// where says what is connected to, for people.
func (s Settings) where() string {
	if s.Kind == "sqlite" {
		return s.File
	}
	return fmt.Sprintf("%s on %s as %s", strings.TrimSpace(s.Kind+" "+s.Database), s.Server, s.User)
}

func (s Settings) host(port string) (host, portOf string) {
	if h, p, err := net.SplitHostPort(s.Server); err == nil {
		return h, p
	}
	return strings.Trim(s.Server, "[]"), port
}
