package wire

import (
	"azulejo/internal/wire/capnp"
	"azulejo/schema"
)

// DecodeEvolution reads the body of POST …/evolve: the changes that make a new schema. Names are not looked up here.
func DecodeEvolution(body []byte) (*schema.Evolution, error) {
	root, err := openWhole(body)
	if err != nil {
		return nil, err
	}
	p, m := newPlace(), capnp.ArraySchemaEvolution(root)
	v := &schema.Evolution{}
	add, err := m.AttributesToAdd()
	v.AddAttributes = decodeAttributes(p.at("attributesToAdd"), add, err)
	drop, err := m.AttributesToDrop()
	v.DropAttributes = p.at("attributesToDrop").texts(drop, err)
	enumerations, err := m.EnumerationsToAdd()
	v.AddEnumerations = decodeEnumerationList(p.at("enumerationsToAdd"), enumerations, err)
	enumerations, err = m.EnumerationsToExtend()
	v.ExtendEnumerations = decodeEnumerationList(p.at("enumerationsToExtend"), enumerations, err)
	drop, err = m.EnumerationsToDrop()
	v.DropEnumerations = p.at("enumerationsToDrop").texts(drop, err)
	expand, err := m.CurrentDomainToExpand()
	v.ExpandCurrentDomain = decodeCurrentDomain(p.at("currentDomainToExpand"), expand, err)
	timestamps, err := m.TimestampRange()
	if t := values[uint64](p.at("timestampRange"), timestamps, err); len(t) >= 2 {
		v.Timestamp = t[1]
	}
	return v, p.err()
}
