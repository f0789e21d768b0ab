package api

import (
	"context"
	"maps"
	"slices"
	"strings"

	"azulejo/datatype"
	"azulejo/format"
	"azulejo/internal/access"
	"azulejo/internal/catalog"
)

// Models of machine learning are arrays whose metadata has keys of this prefix (spec page domains.md, section 5).
const (
	modelPrefix    = "TILEDB_ML_MODEL_"
	modelFramework = modelPrefix + "ML_FRAMEWORK"
	modelType      = "ml_model"
	// modelText is how many characters of one value the catalogue keeps; clients cut theirs so.
	modelText = 2048
)

// recognise records in the catalogue that an array is a model, from metadata that was just written. Clients that know of
// the catalogue say so themselves.
func (a *API) recognise(ctx context.Context, g access.Grant, x catalog.Asset, entries []format.MetadataEntry) error {
	properties := map[string]string{}
	for _, e := range entries {
		switch e.Type {
		case datatype.StringASCII, datatype.StringUTF8, datatype.Char:
			if strings.HasPrefix(e.Key, modelPrefix) && !e.Deleted {
				properties[e.Key] = cut(strings.ToValidUTF8(string(e.Value), "?"), modelText)
			}
		}
	}
	if properties[modelFramework] == "" || x.Info.FileType != "" && x.Info.FileType != modelType || x.Part() != "" {
		return nil
	}
	if x.Info.FileType == modelType && maps.Equal(x.Info.FileProperties, properties) {
		return nil
	}
	return a.catalog.SetFile(ctx, g, x, modelType, properties)
}

// datasetType is the key of metadata by which domain libraries say what a group is (spec page domains.md, section 0.1).
const datasetType = "dataset_type"

// groupTypes are what a group can be beside generic.
var groupTypes = []string{"vcf", "soma", "bioimg", "pointcloud", "raster", "geometry", "vector_search"}

// recogniseGroup records in the catalogue what a group is, from metadata that was just written or, for one that was just
// registered, from all of it. What says nothing of it changes nothing.
func (a *API) recogniseGroup(ctx context.Context, g access.Grant, x catalog.Asset, entries []format.MetadataEntry) error {
	for _, e := range entries {
		if e.Key != datasetType {
			continue
		}
		kind := ""
		switch e.Type {
		case datatype.StringASCII, datatype.StringUTF8, datatype.Char:
			if text := string(e.Value); !e.Deleted && slices.Contains(groupTypes, text) {
				kind = text
			}
		}
		if kind != x.Info.FileType {
			return a.catalog.SetGroupType(ctx, g, x, kind)
		}
	}
	return nil
}

// cut returns the first n characters of a text.
func cut(text string, n int) string {
	for i := range text {
		if n == 0 {
			return text[:i]
		}
		n--
	}
	return text
}
