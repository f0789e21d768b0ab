package wire

import (
	capnplib "capnproto.org/go/capnp/v3"

	"azulejo/format"
	"azulejo/internal/wire/capnp"
	"azulejo/schema"
)

// QueryType is what an array is opened for and what a query does.
type QueryType uint8

// The query types.
const (
	ReadQuery QueryType = iota
	WriteQuery
	DeleteQuery
	UpdateQuery
	ModifyExclusive
)

var queryTypeNames = [...]string{"READ", "WRITE", "DELETE", "UPDATE", "MODIFY_EXCLUSIVE"}

// String returns the name on the wire and in URLs, such as "READ".
func (t QueryType) String() string { return nameOf(queryTypeNames[:], t) }

// ArrayOpen is the body of POST /v2/arrays/{ns}/{array}/.
type ArrayOpen struct {
	Type   QueryType
	Config Config
}

// DecodeArrayOpen reads the body of POST /v2/arrays/{ns}/{array}/.
func DecodeArrayOpen(body []byte) (ArrayOpen, error) {
	root, err := openWhole(body)
	if err != nil {
		return ArrayOpen{}, err
	}
	p, m := newPlace(), capnp.ArrayOpen(root)
	var v ArrayOpen
	if m.HasQueryType() {
		s, err := m.QueryType()
		v.Type = named[QueryType](p.at("queryType"), queryTypeNames[:], s, err)
	}
	v.Config, _ = decodeConfig(p.at("config"), body, requestConfig)
	return v, p.err()
}

// WantsNonEmptyDomain tells whether the client expects the non-empty domain in the answer; it asks later otherwise.
func (o *ArrayOpen) WantsNonEmptyDomain() bool {
	return o.Config.Bool("rest.load_non_empty_domain_on_array_open", true)
}

// WantsMetadata tells whether the client expects the array's metadata in the answer; it asks later otherwise.
func (o *ArrayOpen) WantsMetadata() bool {
	return o.Config.Bool("rest.load_metadata_on_array_open", true)
}

// WantsEnumerations tells whether the client expects the labels of enumerations in the schemas of the answer: in the
// newest, and in all of them.
func (o *ArrayOpen) WantsEnumerations() (latest, all bool) {
	all = o.Config.Bool("rest.load_enumerations_on_array_open_all_schemas", false)
	return all || o.Config.Bool("rest.load_enumerations_on_array_open", false), all
}

// Array is the answer to opening an array. Fragments are never listed in it: the server finds them itself at every
// query.
type Array struct {
	// Type repeats what the client asked for; it overwrites the mode of the client's array.
	Type QueryType
	// Start and End repeat the time range of the request, in milliseconds since 1970; OpenedAt is the server's clock.
	Start, End, OpenedAt uint64
	// Latest is the newest schema in that range and Schemas all of them, that one included. Loaded enumerations travel
	// along.
	Latest  *schema.Array
	Schemas []*schema.Array
	// NonEmptyDomain has one range per dimension, or none when the array is empty; left out unless HasNonEmptyDomain.
	NonEmptyDomain    []schema.Range
	HasNonEmptyDomain bool
	// Metadata is left out unless HasMetadata.
	Metadata    []format.MetadataEntry
	HasMetadata bool
}

// EncodeArray builds the answer of POST /v2/arrays/{ns}/{array}/.
func EncodeArray(v *Array) ([]byte, error) {
	return encode(func(e *encoder, seg *capnplib.Segment) {
		m, err := capnp.NewRootArray(seg)
		if !e.ok(err) {
			return
		}
		e.ok(m.SetQueryType(v.Type.String()))
		m.SetStartTimestamp(v.Start)
		m.SetEndTimestamp(v.End)
		latest, err := m.NewArraySchemaLatest()
		e.schema(latest, err, v.Latest)
		schemas, err := m.NewArraySchemasAll()
		e.schemas(schemas, err, v.Schemas, v.Latest, latest)
		directory, err := m.NewArrayDirectory()
		if e.ok(err) { // without it every query of the client fails
			directory.SetTimestampStart(v.Start)
			directory.SetTimestampEnd(min(v.End, max(v.OpenedAt, v.Start)))
		}
		if v.HasNonEmptyDomain {
			domain, err := m.NewNonEmptyDomain()
			e.nonEmptyDomain(domain, err, v.NonEmptyDomain, v.Latest.Domain.Dimensions)
		}
		if v.HasMetadata {
			metadata, err := m.NewArrayMetadata()
			e.metadata(metadata, err, v.Metadata)
		}
	})
}
