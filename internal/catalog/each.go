package catalog

import (
	"context"
)

// eachPage is how many assets Each reads at a time.
const eachPage = 100

// Each calls visit with every asset and its place, one after the other in no order that means anything, until visit
// returns an error. It is for the server's own upkeep of what is stored, which acts for nobody and shows nothing to anybody.
// Assets whose place is no longer their namespace's are left out, as Locate refuses them; assets deleted meanwhile may
// still be visited.
func (c *Catalog) Each(ctx context.Context, visit func(context.Context, Asset, Location) error) error {
	for last := ""; ; {
		page, err := c.page(ctx, last)
		if err != nil || len(page) == 0 {
			return err
		}
		last = page[len(page)-1].ID
		for _, a := range page {
			at, err := c.locate(ctx, a)
			if err != nil {
				continue // not its namespace's any more
			}
			if err := visit(ctx, a, at); err != nil {
				return err
			}
		}
	}
}

// page returns the next assets by id.
func (c *Catalog) page(ctx context.Context, after string) ([]Asset, error) {
	return c.query(ctx, " WHERE a.state = 'live' AND a.id > ? ORDER BY a.id LIMIT ?", after, eachPage)
}
