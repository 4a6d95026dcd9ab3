package web

import (
	"context"
	"fmt"

	"github.com/drawbridge-id/drawbridge/plugins/sdk"
)

// Pages reads page after page. Read takes an answer, which is closed for it,
// and returns the request of the next page, or nil after the last. A page that
// leads back to itself is an error: such a server would be read for ever.
func (c *Client) Pages(ctx context.Context, first Request, read func(*Answer) (next *Request, err error)) error {
	for request := &first; request != nil; {
		next, err := c.page(ctx, *request, read)
		if err != nil {
			return err
		}
		if next != nil && next.Path == request.Path && next.Query.Encode() == request.Query.Encode() {
			return sdk.Unavailable(fmt.Sprintf("%s gives a page that leads back to itself (%s)", c.Host(), request.Doing),
				"Have the server's paging mended, or choose another kind of paging in the settings.").On(request.Object)
		}
		request = next
	}
	return nil
}

func (c *Client) page(ctx context.Context, request Request, read func(*Answer) (*Request, error)) (*Request, error) {
	answer, err := c.Do(ctx, request)
	if err != nil {
		return nil, err
	}
	defer answer.Close()
	return read(answer)
}
