package api

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/rogpeppe/go-internal/diff"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/mapping"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
)

// versions serves the documents that were in force: listed, compared, gone back to.
func (s *Server) versions(doc huma.API) {
	route(doc, "GET", "/v1/systems/{name}/versions", "list-versions", "List the versions of a system's document, the newest first", access.Viewer, s.listVersions)
	route(doc, "GET", "/v1/systems/{name}/versions/{revision}", "get-version", "Show a version of a system's document", access.Viewer, s.getVersion)
	route(doc, "GET", "/v1/systems/{name}/diff", "diff-versions", "Compare two versions of a system's document", access.Viewer, s.diffVersions)
	route(doc, "POST", "/v1/systems/{name}/rollback", "rollback-system", "Put an earlier version of a system's document in force again", access.Administrator, s.rollback)
}

type versionsQuery struct {
	SystemPath
	Limit int `query:"limit" default:"50" minimum:"1" maximum:"1000" doc:"How many at most"`
}

func (s *Server) listVersions(ctx context.Context, in *versionsQuery) (*items[client.SystemVersion], error) {
	var list []client.SystemVersion
	err := s.read(ctx, func(tx *store.Tx, who caller) error {
		rows, err := tx.Versions(who.tenant, in.Name, in.Limit+1) // one more, to compare the last with
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return none("system", in.Name, "see drawbridge system list")
		}
		present, err := presentRevision(tx, who, in.Name)
		for i, row := range rows[:min(len(rows), in.Limit)] {
			v := version(row, present)
			if v.Document = ""; i+1 < len(rows) {
				v.Added, v.Removed = changedLines(rows[i+1].Document, row.Document)
			}
			list = append(list, v)
		}
		return err
	})
	return listed(list), err
}

// presentRevision gives the revision in force, 0 where the system was removed.
func presentRevision(tx *store.Tx, who caller, name string) (int64, error) {
	rows, err := tx.Systems(who.tenant)
	for _, row := range rows {
		if row.Name == name {
			return row.Revision, nil
		}
	}
	return 0, err
}

func version(row store.Version, present int64) client.SystemVersion {
	return client.SystemVersion{System: row.System, Revision: row.Revision, Applied: row.Applied.Time(), By: row.Who, Note: row.Note,
		Current: row.Revision == present, Document: row.Document}
}

type versionPath struct {
	SystemPath
	Revision int64 `path:"revision" minimum:"1" doc:"Revision"`
}

func (s *Server) getVersion(ctx context.Context, in *versionPath) (*body[client.SystemVersion], error) {
	var out client.SystemVersion
	err := s.read(ctx, func(tx *store.Tx, who caller) error {
		row, err := versionRow(tx, who, in.Name, in.Revision)
		if err != nil {
			return err
		}
		present, err := presentRevision(tx, who, in.Name)
		out = version(row, present)
		return err
	})
	return answer(out), err
}

func versionRow(tx *store.Tx, who caller, name string, revision int64) (store.Version, error) {
	row, err := tx.Version(who.tenant, name, revision)
	return row, missing(err, "revision of "+name, revision, "see drawbridge system history "+name)
}

type diffQuery struct {
	SystemPath
	From int64 `query:"from" minimum:"0" doc:"Revision to compare with; the one before where it is left out"`
	To   int64 `query:"to" minimum:"0" doc:"Revision; the one in force where it is left out"`
}

func (s *Server) diffVersions(ctx context.Context, in *diffQuery) (*body[client.VersionDiff], error) {
	var out client.VersionDiff
	err := s.read(ctx, func(tx *store.Tx, who caller) error {
		out = client.VersionDiff{System: in.Name, From: in.From, To: in.To}
		if out.To == 0 {
			row, err := systemRow(tx, who, in.Name)
			if err != nil {
				return err
			}
			out.To = row.Revision
		}
		to, err := versionRow(tx, who, in.Name, out.To)
		if err != nil {
			return err
		}
		var from store.Version // of the first, nothing
		if out.From == 0 {
			out.From = out.To - 1
		}
		if out.From > 0 {
			if from, err = versionRow(tx, who, in.Name, out.From); err != nil {
				return err
			}
		}
		out.Diff = difference(revisionName(in.Name, out.From), from.Document, revisionName(in.Name, out.To), to.Document)
		return nil
	})
	return answer(out), err
}

type rollbackInput struct {
	SystemPath
	DryRun  bool   `query:"dry_run" doc:"Only check"`
	IfMatch string `header:"If-Match" maxLength:"100" doc:"Only if this is the ETag of the system in force"`
	Body    client.Rollback
}

func (s *Server) rollback(ctx context.Context, in *rollbackInput) (*body[client.Applied], error) {
	out := client.Applied{DryRun: in.DryRun}
	do := s.write
	if in.DryRun {
		do = s.read
	}
	err := do(ctx, func(tx *store.Tx, who caller) error {
		row, err := versionRow(tx, who, in.Name, in.Body.Revision)
		if err != nil {
			return err
		}
		file := revisionName(in.Name, in.Body.Revision)
		system, err := mapping.Parse(file, []byte(row.Document))
		if err != nil { // a release before this one took it
			return faulty(err, file, []byte(row.Document))
		}
		access.Because(ctx, in.Body.Note)
		note := strings.TrimSpace(fmt.Sprintf("back to revision %d. %s", in.Body.Revision, in.Body.Note))
		done, faults, err := s.applyOne(tx, who, system, &applyInput{Name: file, DryRun: in.DryRun, IfMatch: in.IfMatch}, note)
		if err != nil {
			return err
		}
		if len(faults) > 0 {
			return faulty(faults, file, []byte(row.Document))
		}
		if done.Action == "unchanged" {
			return problem(http.StatusConflict, fmt.Sprintf("the document in force says what revision %d says", in.Body.Revision), "see drawbridge system history "+in.Name)
		}
		out.Systems = []client.AppliedSystem{done}
		return nil
	})
	return answer(out), err
}

func revisionName(name string, revision int64) string { return fmt.Sprintf("%s@%d", name, revision) }

// difference gives the unified diff of two texts; "" where they are the same.
func difference(oldName, old, newName, text string) string {
	return string(diff.Diff(oldName, []byte(old), newName, []byte(text)))
}

// changedLines counts the lines of a diff.
func changedLines(old, text string) (added, removed int) {
	for i, line := range bytes.Split(diff.Diff("old", []byte(old), "new", []byte(text)), []byte("\n")) {
		switch {
		case i < 3: // the heading
		case bytes.HasPrefix(line, []byte("+")):
			added++
		case bytes.HasPrefix(line, []byte("-")):
			removed++
		}
	}
	return added, removed
}
