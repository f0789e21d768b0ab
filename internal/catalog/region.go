package catalog

import (
	"context"
	"fmt"
)

// Regions say what this server stores where several share one database, each with storage of its own.
type Regions struct {
	// Own is the region whose storage this server has. What it makes belongs there. Empty is the one region of servers that know none.
	Own string
	// Home returns the region where a namespace wants what it makes, "" for that of whichever server is asked. Nil means that none cares.
	Home func(ctx context.Context, namespaceID string) (string, error)
}

// ElsewhereError says that the storage of an asset, or of one to be made, is in another server's region.
type ElsewhereError struct{ Region string }

func (e *ElsewhereError) Error() string {
	if e.Region == "" {
		return "the storage is in no region, this server's is"
	}
	return fmt.Sprintf("the storage is in the region %q, not in this server's", e.Region)
}

// SetRegions is for the start of a server, before anything is asked of the catalogue.
func (c *Catalog) SetRegions(r Regions) { c.regions = r }

// here checks that an asset of a region is stored by this server. The error is an *ElsewhereError.
func (c *Catalog) here(region string) error {
	if region != c.regions.Own {
		return &ElsewhereError{region}
	}
	return nil
}

// home checks that a namespace wants what it makes to be stored by this server, as far as it says so. The error is an *ElsewhereError.
func (c *Catalog) home(ctx context.Context, namespaceID string) error {
	if c.regions.Home == nil {
		return nil
	}
	region, err := c.regions.Home(ctx, namespaceID)
	if err != nil || region == "" {
		return err
	}
	return c.here(region)
}
