package format

// Version is the format version that this package writes.
const Version uint32 = 22

// MaxVersion is the newest format version that this package reads.
const MaxVersion uint32 = 23

// feature is something that a format version added to the bytes of a file.
type feature uint32

// The features, oldest first (format_spec/array_format_history.md).
const (
	// footerFeature: fragment metadata ends in a footer and keeps its parts in generic tiles of their own.
	footerFeature feature = 1 << iota
	// dimensionFeature: dimensions have their own type, filters and data files; schemas tell whether they allow
	// duplicates; R-trees do not repeat the type.
	dimensionFeature
	// fillFeature: attributes store a fill value.
	fillFeature
	// nullableFeature: attributes store nullability, schemas validity filters, fragments validity files.
	nullableFeature
	// encodedNameFeature: data files are named after the field, percent-encoded.
	encodedNameFeature
	// indexedNameFeature: data files are named by the field's position.
	indexedNameFeature
	// schemaNameFeature: footers name their schema and are always followed by their length.
	schemaNameFeature
	// tileMetadataFeature: mins, maxes, sums and null counts of tiles.
	tileMetadataFeature
	// summaryFeature: the fragment summary, and the folders __fragments and __commits.
	summaryFeature
	// timestampsFeature: the footer's flag for cell timestamps.
	timestampsFeature
	// deletesFeature: the footer's flag for delete metadata.
	deletesFeature
	// conditionsFeature: processed conditions in fragment metadata.
	conditionsFeature
	// attributeOrderFeature: attributes store their data order.
	attributeOrderFeature
	// labelsFeature: schemas list dimension labels.
	labelsFeature
	// enumerationsFeature: schemas list enumerations and attributes name theirs.
	enumerationsFeature
	// currentDomainFeature: schemas end in a current domain.
	currentDomainFeature
	// sectionsFeature: footers end in optional sections.
	sectionsFeature
)

// added has what every version added. Versions that are missing changed what is stored and not how, or, as 19, only the
// options of filters, which package filter knows.
var added = [MaxVersion + 1]feature{
	3:  footerFeature,
	5:  dimensionFeature,
	6:  fillFeature,
	7:  nullableFeature,
	8:  encodedNameFeature,
	9:  indexedNameFeature,
	10: schemaNameFeature,
	11: tileMetadataFeature,
	12: summaryFeature,
	14: timestampsFeature,
	15: deletesFeature,
	16: conditionsFeature,
	17: attributeOrderFeature,
	18: labelsFeature,
	20: enumerationsFeature,
	22: currentDomainFeature,
	23: sectionsFeature,
}

// features has what every version knows, cumulated from added.
var features = cumulate(added)

func cumulate(added [MaxVersion + 1]feature) (all [MaxVersion + 1]feature) {
	var f feature
	for v := range added {
		f |= added[v]
		all[v] = f
	}
	return all
}

// known reports whether this package reads version v.
func known(v uint32) bool { return v >= 1 && v <= MaxVersion }

// has reports whether version v, which is known, has the feature.
func has(v uint32, f feature) bool { return features[v]&f != 0 }
