package scim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
	"github.com/drawbridge-id/drawbridge/plugins/sdk/web"
	"github.com/drawbridge-id/drawbridge/proto/scim/path"
)

// A page is what a list answer says of itself.
type page struct {
	total  int // -1: it does not say
	count  int // resources in it
	cursor string
}

// largestPage bounds what a server can make us read as one page.
const largestPage = 256 << 20

var errTooLong = errors.New("the page is too long")

// list reads a list page by page; each is given one resource at a time, as the
// text that it is, valid until it returns. Next gives the request of the next
// page, or nil.
func (s *System) list(ctx context.Context, first web.Request, next func(page) *web.Request, each func(raw []byte) error) error {
	current := first
	return s.client.Pages(ctx, first, func(answer *web.Answer) (*web.Request, error) {
		p, err := s.page(answer, current, each)
		if err != nil {
			return nil, err
		}
		following := next(p)
		if following != nil {
			current = *following
		}
		return following, nil
	})
}

func (s *System) page(answer *web.Answer, r web.Request, each func(raw []byte) error) (page, error) {
	if answer.Status == http.StatusNotFound && s.dialect.NoMatch == "404" && r.Query.Get("filter") != "" {
		return page{}, nil
	}
	if answer.Status != http.StatusOK {
		return page{}, s.refusal(answer, r)
	}
	p, err := decodePage(&bounded{answer.Body(), largestPage}, each)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch own := (*sdk.Error)(nil); {
	case err == nil || errors.As(err, &own) || errors.Is(err, errStopped):
		return p, err
	case errors.Is(err, errTooLong):
		return p, sdk.Invalid(fmt.Sprintf("a page of %s is longer than %d MiB", s.client.Host(), largestPage>>20), "Set a smaller page_size.").On(r.Object)
	case errors.As(err, &syntax), errors.As(err, &kind), errors.Is(err, errNoList):
		return p, s.strange(r, "what is no list of SCIM", []byte(err.Error()))
	}
	return p, answer.Broken(err)
}

var (
	errNoList  = errors.New("there is neither Resources nor totalResults in it")
	errStopped = errors.New("nobody listens any more")
)

// decodePage reads a ListResponse (RFC 7644, 3.4.2; RFC 9865, 2) without
// keeping more of it than one resource.
func decodePage(body io.Reader, each func(raw []byte) error) (page, error) {
	p := page{total: -1}
	d := json.NewDecoder(body)
	if open, err := d.Token(); err != nil {
		return p, err
	} else if open != json.Delim('{') {
		return p, errNoList
	}
	var list, wrong bool
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return p, err
		}
		name, _ := key.(string)
		switch strings.ToLower(name) {
		case "resources":
			list = true
			if err := elements(d, &p, each); err != nil {
				return p, err
			}
			continue
		case "totalresults":
			err = d.Decode(&p.total)
			list = true
		case "nextcursor":
			var cursor *string
			if err = d.Decode(&cursor); cursor != nil {
				p.cursor = *cursor
			}
		case "schemas":
			var schemas []string
			err = d.Decode(&schemas)
			for _, urn := range schemas {
				wrong = wrong || strings.EqualFold(urn, errorSchema)
			}
		default:
			var skip json.RawMessage
			err = d.Decode(&skip)
		}
		if err != nil {
			return p, err
		}
	}
	if _, err := d.Token(); err != nil {
		return p, err
	}
	if wrong || !list {
		return p, errNoList
	}
	return p, nil
}

func elements(d *json.Decoder, p *page, each func(raw []byte) error) error {
	open, err := d.Token()
	if err != nil || open == nil { // null
		return err
	}
	if open != json.Delim('[') {
		return errNoList
	}
	var raw json.RawMessage
	for d.More() {
		if err := d.Decode(&raw); err != nil {
			return err
		}
		p.count++
		if err := each(raw); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}

// bounded reads no more than so many bytes.
type bounded struct {
	from io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLong
	}
	n, err := b.from.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// projection asks for the attributes and what every object needs; nil for all.
func (s *System) projection(t *resourceType, wanted []*attribute) url.Values {
	query := url.Values{}
	if wanted == nil || s.dialect.Projection == "off" || s.wholly.Load() {
		return query
	}
	names := []string{"id", "meta"}
	add := func(name string) {
		for _, n := range names {
			if strings.EqualFold(n, name) {
				return
			}
		}
		names = append(names, name)
	}
	add(t.naming)
	for _, a := range wanted {
		switch a.name {
		case enabledName:
			add(activeName)
		case memberOfName:
			if s.asked(t) {
				add("groups")
			}
		default:
			add(a.top())
		}
	}
	if len(s.settings.DeletedMark) > 0 {
		add(activeName)
		for name := range s.settings.DeletedMark {
			if p, err := path.Parse(name); err == nil {
				add(p.Base().String())
			}
		}
	}
	query.Set("attributes", strings.Join(names, ","))
	return query
}

// mayRefuseProjection tells whether the request may have been refused because it
// asks for some attributes alone: there are servers that cannot return those of
// an extension so. It is then tried without.
func (s *System) mayRefuseProjection(err error, r web.Request) bool {
	e, ok := errors.AsType[*sdk.Error](err)
	return ok && e.Outcome == sdk.OutcomeInvalid && r.Query.Has("attributes") && strings.HasPrefix(e.Raw, "HTTP 400")
}

// count asks for pages of so many objects.
func (s *System) count(query url.Values, known *service, n int) {
	if s.dialect.Paging == "none" {
		return
	}
	if known.pageLimit > 0 {
		n = min(n, known.pageLimit)
	}
	query.Set("count", strconv.Itoa(n))
}
