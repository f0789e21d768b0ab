package format

import (
	"bytes"

	"azulejo/internal/bin"
	"azulejo/schema"
)

// A consolidated fragment metadata file, __fragment_meta/__t1_t2_uuid_22.meta
// (format_spec/consolidated_fragment_metadata_file.md), is one generic tile whose payload holds the footers of many
// fragments, so that opening them all takes one read:
//
//	u32 n | n x ( u64+name | u64 position of its footer in the payload ) | n footers without their length
//
// The page has no count. Before version 9 the names are absolute URIs.

// ConsolidatedFooter is the footer of one fragment in a .meta file.
type ConsolidatedFooter struct {
	// Fragment is the name of the fragment's folder.
	Fragment string
	// Footer is the footer without the length behind it. It shares the payload's memory when decoded.
	Footer []byte
}

// EncodeConsolidatedFragmentMetadata returns the content of a .meta file.
func EncodeConsolidatedFragmentMetadata(footers []ConsolidatedFooter) ([]byte, error) {
	at := uint64(4)
	for _, f := range footers {
		at += 16 + uint64(len(f.Fragment))
	}
	w := &bin.Writer{}
	w.U32(uint32(len(footers)))
	for _, f := range footers {
		w.U64(uint64(len(f.Fragment)))
		w.Bytes([]byte(f.Fragment))
		w.U64(at)
		at += uint64(len(f.Footer))
	}
	for _, f := range footers {
		w.Bytes(f.Footer)
	}
	return AppendGenericTile(nil, w.B)
}

// DecodeConsolidatedFragmentMetadata decodes the content of a .meta file. A footer reaches to the next one, so they must
// lie in the order of their names, as everybody writes them.
func DecodeConsolidatedFragmentMetadata(file []byte) ([]ConsolidatedFooter, error) {
	const part = "consolidated fragment metadata"
	payload, err := decodeWhole(file, part)
	if err != nil {
		return nil, err
	}
	r := bin.NewReader(payload)
	n := r.Count("fragments", uint64(r.U32("number of fragments")), 16)
	footers := make([]ConsolidatedFooter, n)
	places, names := make([]uint64, n+1), make([][2]int, n)
	for i := range footers {
		name := r.Bytes("fragment", r.U64("size of name"))
		names[i] = [2]int{r.Offset() - len(name) + bytes.LastIndexByte(name, '/') + 1, r.Offset()}
		places[i] = r.U64("position")
	}
	if err := readErr(r, part, 0); err != nil {
		return nil, err
	}
	text := string(payload[:r.Offset()])
	for i, at := range names {
		footers[i].Fragment = text[at[0]:at[1]]
	}
	places[n] = uint64(len(payload))
	last := uint64(r.Offset())
	for i := range footers {
		if places[i] < last || places[i+1] < places[i] || places[i+1] > uint64(len(payload)) {
			return nil, corrupt(part+"/position", int64(r.Offset()), 0, "footer %d from byte %d to %d of %d", i, places[i], places[i+1], len(payload))
		}
		last = places[i]
		footers[i].Footer = payload[places[i]:places[i+1]:places[i+1]]
	}
	return footers, nil
}

// UnknownStart is the Start of a footer that was decoded apart from its file.
const UnknownStart = -1

// DecodeLoneFooter decodes a footer as a .meta file holds it. Its Start is UnknownStart, and PartExtent cannot
// tell where the last part ends. version and
// schemaOf are as in DecodeFooter.
func DecodeLoneFooter(b []byte, version uint32, schemaOf func(name string) (*schema.Array, error)) (*Footer, error) {
	f := new(Footer)
	if err := f.DecodeLone(b, version, schemaOf); err != nil {
		return nil, err
	}
	return f, nil
}

// DecodeLone is DecodeLoneFooter into a footer that is a part of something, as Decode.
func (f *Footer) DecodeLone(b []byte, version uint32, schemaOf func(name string) (*schema.Array, error)) error {
	d := footerDecoder{f: f, schemaOf: schemaOf, Reader: *bin.NewReader(b)}
	if version == 0 {
		version = 4
	}
	if version < 10 {
		var err error
		if f.Schema, err = schemaOf(LegacySchema); err != nil {
			return err
		}
	}
	f.Start, f.NBytes = UnknownStart, int64(len(b))
	return d.decode(version)
}
