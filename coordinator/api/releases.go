package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/drawbridge-id/drawbridge/coordinator/access"
	"github.com/drawbridge-id/drawbridge/coordinator/api/client"
	"github.com/drawbridge-id/drawbridge/coordinator/store"
	"github.com/drawbridge-id/drawbridge/proto/release"
)

const listReleases = "see drawbridge release list"

func (s *Server) releases(doc huma.API) {
	route(doc, "GET", "/v1/releases", "list-releases", "List releases of the agent's side", access.Viewer, s.listReleases)
	route(doc, "POST", "/v1/releases", "add-release", "Put a release in; its executables follow", access.Administrator, s.addRelease)
	huma.Register(doc, access.Operation(access.Administrator, huma.Operation{OperationID: "send-executable", Method: "POST",
		Path: "/v1/releases/{version}/executables/{sha256}/{part}", Summary: "Send a part of an executable of a release; again as often as need be",
		MaxBodyBytes: release.PartBytes + 1, BodyReadTimeout: 5 * time.Minute}), s.sendExecutable)
	route(doc, "POST", "/v1/releases/{version}/remove", "remove-release", "Remove a release that no ring is to have", access.Administrator, s.removeRelease)
	route(doc, "GET", "/v1/rings", "list-rings", "List rings of updates", access.Viewer, s.listRings)
	route(doc, "POST", "/v1/rings/{name}", "move-ring", "Say which release the agents of a ring are to have", access.Administrator, s.moveRing)
}

type nothing struct{}

func (s *Server) listReleases(ctx context.Context, _ *nothing) (*items[client.Release], error) {
	var list []client.Release
	err := s.read(ctx, func(tx *store.Tx, who caller) error {
		rows, err := tx.Releases(who.tenant)
		for i := len(rows) - 1; err == nil && i >= 0; i-- { // the latest first
			var r client.Release
			r, err = releaseOf(tx, rows[i])
			list = append(list, r)
		}
		return err
	})
	return listed(list), err
}

func releaseOf(tx *store.Tx, row store.Release) (client.Release, error) {
	m, err := release.Read(row.File)
	if err != nil {
		return client.Release{}, err
	}
	r := client.Release{Version: row.Version, Released: m.Released, Added: row.Added.Time(), Who: row.Who, Complete: true}
	for _, f := range m.Files {
		here, err := tx.ExecutableBytes(row.Tenant, f.SHA256)
		if err != nil {
			return r, err
		}
		r.Complete = r.Complete && here == f.Size
		r.Files = append(r.Files, client.ReleaseFile{Part: f.Part, Platform: f.Platform, Size: f.Size, Here: here, SHA256: f.SHA256})
	}
	return r, nil
}

// addRelease takes a release file. That one of the keys signed it which the
// coordinator knows is checked for whoever puts it in; agents check for themselves.
func (s *Server) addRelease(ctx context.Context, in *body[client.NewRelease]) (*body[client.Release], error) {
	file := []byte(in.Body.File)
	m, err := release.Read(file)
	if err == nil && len(s.Releases) > 0 {
		_, err = release.Open(file, s.Releases)
	}
	if err != nil {
		return nil, problem(http.StatusUnprocessableEntity, err.Error(), "sign it with drawbridge-agent release sign, by the key that agent.yaml of your hosts names")
	}
	var out client.Release
	err = s.write(ctx, func(tx *store.Tx, who caller) error {
		access.About(ctx, m.Version, fmt.Sprintf("%d executables", len(m.Files)))
		old, err := tx.Release(who.tenant, m.Version)
		if err == nil && !bytes.Equal(old.File, file) {
			return problem(http.StatusConflict, "there is another release "+m.Version, "give it another version, or remove the other one first: drawbridge release remove "+m.Version)
		}
		if err != nil && !errors.Is(err, store.ErrNone) {
			return err
		}
		row := store.Release{Tenant: who.tenant, Version: m.Version, File: file, Added: tx.Now, Who: who.name}
		if err == nil {
			row = old
		} else if err := tx.AddRelease(row); err != nil {
			return err
		}
		out, err = releaseOf(tx, row)
		return err
	})
	return answer(out), err
}

type partInput struct {
	Version string `path:"version" doc:"Release"`
	SHA256  string `path:"sha256" doc:"Of the executable"`
	Part    int64  `path:"part" minimum:"0" maximum:"100" doc:"Which part of 4 MiB, from 0"`
	RawBody []byte `contentType:"application/octet-stream"`
}

func (s *Server) sendExecutable(ctx context.Context, in *partInput) (*body[client.Release], error) {
	var out client.Release
	err := s.write(ctx, func(tx *store.Tx, who caller) error {
		row, err := tx.Release(who.tenant, in.Version)
		if err != nil {
			return missing(err, "release", in.Version, listReleases)
		}
		m, err := release.Read(row.File)
		if err != nil {
			return err
		}
		want := int64(-1)
		for _, f := range m.Files {
			if f.SHA256 == in.SHA256 {
				want = min(release.PartBytes, f.Size-in.Part*release.PartBytes)
			}
		}
		if want < 0 {
			return none("executable", in.SHA256, "send those that the release names")
		}
		if int64(len(in.RawBody)) != want {
			return problem(http.StatusUnprocessableEntity, fmt.Sprintf("part %d has %d bytes, not %d", in.Part, len(in.RawBody), want), "send the executable that was signed")
		}
		access.About(ctx, in.Version, fmt.Sprintf("part %d of %s", in.Part, in.SHA256))
		if err := tx.PutReleasePart(who.tenant, in.SHA256, in.Part, in.RawBody); err != nil {
			return err
		}
		out, err = releaseOf(tx, row)
		return err
	})
	return answer(out), err
}

type byVersion struct {
	Version string `path:"version" doc:"Release"`
}

func (s *Server) removeRelease(ctx context.Context, in *byVersion) (*body[client.Release], error) {
	var out client.Release
	err := s.write(ctx, func(tx *store.Tx, who caller) error {
		row, err := tx.Release(who.tenant, in.Version)
		if err != nil {
			return missing(err, "release", in.Version, listReleases)
		}
		rings, err := tx.Rings(who.tenant)
		if err != nil {
			return err
		}
		for _, r := range rings {
			if r.Version == in.Version {
				return problem(http.StatusConflict, "ring "+r.Name+" is to have it", "move the ring first: drawbridge ring set "+r.Name+" VERSION")
			}
		}
		access.About(ctx, in.Version, "")
		if out, err = releaseOf(tx, row); err != nil {
			return err
		}
		return remove(tx, row)
	})
	return answer(out), err
}

// remove forgets a release, and those of its executables that no other one has.
func remove(tx *store.Tx, row store.Release) error {
	if err := tx.RemoveRelease(row.Tenant, row.Version); err != nil {
		return err
	}
	rest, err := tx.Releases(row.Tenant)
	if err != nil {
		return err
	}
	needed := map[string]bool{}
	for _, r := range rest {
		if m, err := release.Read(r.File); err == nil {
			for _, f := range m.Files {
				needed[f.SHA256] = true
			}
		}
	}
	m, err := release.Read(row.File)
	for _, f := range m.Files {
		if err == nil && !needed[f.SHA256] {
			err = tx.RemoveExecutable(row.Tenant, f.SHA256)
		}
	}
	return err
}

func (s *Server) listRings(ctx context.Context, _ *nothing) (*items[client.RingState], error) {
	var list []client.RingState
	err := s.read(ctx, func(tx *store.Tx, who caller) (err error) {
		list, err = ringStates(tx, who.tenant)
		return err
	})
	return listed(list), err
}

// ringStates gives the rings that were moved, or that agents are in.
func ringStates(tx *store.Tx, tenant string) (list []client.RingState, err error) {
	rings, err := tx.Rings(tenant)
	if err != nil {
		return nil, err
	}
	counts, err := tx.RingCounts(tenant)
	if err != nil {
		return nil, err
	}
	at := map[string]int{}
	for _, r := range rings {
		state := client.RingState{Name: r.Name, Version: r.Version, Changed: r.Changed.Time(), Who: r.Who, TookBack: []string{}}
		bad, err := tx.TookBack(r)
		if err != nil {
			return nil, err
		}
		for _, a := range bad {
			state.TookBack = append(state.TookBack, a.Host)
		}
		at[r.Name], list = len(list), append(list, state)
	}
	for _, c := range counts {
		i, known := at[c.Ring]
		if !known {
			i = len(list)
			at[c.Ring], list = i, append(list, client.RingState{Name: c.Ring, TookBack: []string{}})
		}
		list[i].Agents += c.Agents
		if c.Version == list[i].Version {
			list[i].Updated += c.Agents
		}
	}
	return list, nil
}

type moveInput struct {
	Name string `path:"name" maxLength:"40" pattern:"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$" doc:"Name of the ring"`
	Body client.RingVersion
}

func (s *Server) moveRing(ctx context.Context, in *moveInput) (*body[client.RingState], error) {
	var out client.RingState
	err := s.write(ctx, func(tx *store.Tx, who caller) error {
		if in.Body.Version != "" {
			row, err := tx.Release(who.tenant, in.Body.Version)
			if err != nil {
				return missing(err, "release", in.Body.Version, listReleases)
			}
			if r, err := releaseOf(tx, row); err != nil {
				return err
			} else if !r.Complete {
				return problem(http.StatusConflict, "executables of "+in.Body.Version+" are not here yet", "send them: drawbridge release add FILE EXECUTABLE…")
			}
		}
		access.About(ctx, "ring "+in.Name, "release "+in.Body.Version)
		if err := tx.MoveRing(who.tenant, in.Name, in.Body.Version, who.name); err != nil {
			return err
		}
		list, err := ringStates(tx, who.tenant)
		for _, r := range list {
			if r.Name == in.Name {
				out = r
			}
		}
		return err
	})
	return answer(out), err
}
