package console

import (
	"net/http"
	"time"

	"azulejo/internal/catalog"
	"azulejo/internal/web"
)

// arraysPage lists the caller's arrays and groups.
type arraysPage struct {
	Assets          []assetRow
	Server, Example string
}

type assetRow struct {
	Name, Kind, Address, Created string
}

func (c *Console) arrays(w http.ResponseWriter, r *web.Request) error {
	list, _, err := c.catalog.List(r.Context(), catalog.Filter{Namespaces: []string{r.Subject.NamespaceID}, OrderBy: "name"})
	if err != nil {
		return err
	}
	page := arraysPage{Server: server(r)}
	for _, a := range list {
		row := assetRow{Name: a.Name, Kind: string(a.Kind), Address: "tiledb://" + a.Namespace + "/" + a.Name, Created: a.CreatedAt.Format(time.RFC3339)}
		if a.ArrayType != "" {
			row.Kind = a.ArrayType + " array"
		}
		if page.Example == "" && a.Kind == catalog.Array {
			page.Example = row.Address
		}
		page.Assets = append(page.Assets, row)
	}
	return c.show(w, r, "arrays", frame{Title: "Arrays", Page: page})
}
