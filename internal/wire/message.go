package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	capnplib "capnproto.org/go/capnp/v3"

	"azulejo/internal/wire/capjson"
	"azulejo/internal/wire/capnp"
)

// Limits of the framing. The first two are those of libtiledb's own reader.
const (
	maxSegments = 512
	maxNesting  = 64
	// amplification bounds what a message may refer to, as a multiple of its own words.
	amplification = 4
	// rereads bounds how often the decoders may go over what a message refers to.
	rereads = 8
)

// MessageLength returns the length in bytes of the Cap'n Proto message at the start of b: segment table and segments.
// Buffers follow there. The error wraps ErrMalformed when b is shorter than the message.
func MessageLength(b []byte) (int, error) {
	head, err := tableLength(b)
	if err != nil {
		return 0, err
	}
	if len(b) < head {
		return 0, malformed("segment table cut off at %d of %d bytes", len(b), head)
	}
	n := uint64(head)
	for i := 4; i < 4+4*segmentCount(b); i += 4 {
		n += 8 * uint64(binary.LittleEndian.Uint32(b[i:]))
	}
	if n > uint64(len(b)) {
		return 0, malformed("message cut off at %d of %d bytes", len(b), n)
	}
	return int(n), nil
}

// segmentCount reads the number of segments from a table that tableLength accepted.
func segmentCount(b []byte) int { return int(binary.LittleEndian.Uint32(b)) + 1 }

// tableLength returns the bytes of the segment table that begins with b.
func tableLength(b []byte) (int, error) {
	if len(b) < 8 {
		return 0, malformed("%d bytes, a message has at least 8", len(b))
	}
	if n := binary.LittleEndian.Uint32(b); n >= maxSegments {
		return 0, malformed("%d segments, at most %d are read", uint64(n)+1, maxSegments)
	}
	return (4 + 4*segmentCount(b) + 7) &^ 7, nil
}

// ReadMessage reads exactly one message from r and leaves r at the byte after it. A message longer than limit bytes is
// refused with ErrTooLarge before it is read. Memory is taken as bytes arrive, never by what the table claims.
func ReadMessage(r io.Reader, limit int64) ([]byte, error) {
	table := make([]byte, 8)
	if _, err := io.ReadFull(r, table); err != nil {
		return nil, cutOff(err)
	}
	head, err := tableLength(table)
	if err != nil {
		return nil, err
	}
	table = append(table, make([]byte, head-8)...)
	if _, err := io.ReadFull(r, table[8:]); err != nil {
		return nil, cutOff(err)
	}
	total := int64(head)
	for i := range segmentCount(table) {
		total += 8 * int64(binary.LittleEndian.Uint32(table[4+4*i:]))
	}
	if total > limit {
		return nil, &Error{Err: ErrTooLarge}
	}
	return readGrowing(r, table, total)
}

// readGrowing appends to b what r still has to give until b has total bytes.
func readGrowing(r io.Reader, b []byte, total int64) ([]byte, error) {
	const first = 64 << 10
	for int64(len(b)) < total {
		step := min(total-int64(len(b)), int64(max(first, len(b))))
		at := len(b)
		b = append(b, make([]byte, step)...)
		if _, err := io.ReadFull(r, b[at:]); err != nil {
			return nil, cutOff(err)
		}
	}
	return b, nil
}

// cutOff turns the end of a stream inside a message into a fault of the message; other errors pass as they are.
func cutOff(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return malformed("message cut off")
	}
	return err
}

// openMessage checks the message at the start of b and returns its root and what follows it. The root shares b's memory.
func openMessage(b []byte) (root capnplib.Struct, rest []byte, err error) {
	n, err := MessageLength(b)
	if err != nil {
		return root, nil, err
	}
	if err := verify(b[:n]); err != nil {
		return root, nil, err
	}
	msg, err := capnplib.Unmarshal(b[:n:n])
	if err != nil {
		return root, nil, malformed("%v", err)
	}
	msg.TraverseLimit = uint64(n)*amplification*rereads + 1<<10
	msg.DepthLimit = 2*maxNesting + 2 // the library counts a list and its element as two
	p, err := msg.Root()
	if err != nil {
		return root, nil, malformed("%v", err)
	}
	root = p.Struct()
	if !root.IsValid() {
		return root, nil, malformed("the root is not a struct")
	}
	return root, b[n:], nil
}

// openWhole is openMessage for a body that is one message and nothing else. Trailing bytes are let pass, as libtiledb
// does.
func openWhole(b []byte) (capnplib.Struct, error) {
	root, _, err := openMessage(b)
	return root, err
}

// Kind is a message that can also come and go as JSON.
type Kind uint64

// The kinds of messages. Queries are none of them: their cells follow the message, for which JSON has no form, and no client sends them so.
const (
	NoMessage           Kind = 0
	ArrayMessage        Kind = capnp.Array_TypeID
	OpenMessage         Kind = capnp.ArrayOpen_TypeID
	SchemaMessage       Kind = capnp.ArraySchema_TypeID
	LoadSchemaMessage   Kind = capnp.LoadArraySchemaRequest_TypeID
	SchemasMessage      Kind = capnp.LoadArraySchemaResponse_TypeID
	EvolutionMessage    Kind = capnp.ArraySchemaEvolution_TypeID
	NamesMessage        Kind = capnp.LoadEnumerationsRequest_TypeID
	EnumerationsMessage Kind = capnp.LoadEnumerationsResponse_TypeID
	MetadataMessage     Kind = capnp.ArrayMetadata_TypeID
	DomainMessage       Kind = capnp.NonEmptyDomainList_TypeID
	InfoMessage         Kind = capnp.FragmentInfoRequest_TypeID
	FragmentsMessage    Kind = capnp.FragmentInfo_TypeID
	ConsolidateMessage  Kind = capnp.ArrayConsolidationRequest_TypeID
	PlanSizeMessage     Kind = capnp.ConsolidationPlanRequest_TypeID
	PlanMessage         Kind = capnp.ConsolidationPlanResponse_TypeID
	VacuumMessage       Kind = capnp.ArrayVacuumRequest_TypeID
	DeleteTimesMessage  Kind = capnp.ArrayDeleteFragmentsTimestampsRequest_TypeID
	DeleteListMessage   Kind = capnp.ArrayDeleteFragmentsListRequest_TypeID
	PlanQueryMessage    Kind = capnp.QueryPlanRequest_TypeID
	QueryPlanMessage    Kind = capnp.QueryPlanResponse_TypeID
	GroupCreateMessage  Kind = capnp.GroupCreate_TypeID
	GroupMessage        Kind = capnp.Group_TypeID
	MembersMessage      Kind = capnp.Group_GroupDetails_TypeID
	GroupUpdateMessage  Kind = capnp.GroupUpdate_TypeID
	GroupMetaMessage    Kind = capnp.GroupMetadata_TypeID
)

// FromJSON returns the message whose JSON form is body, for the Decode functions. Errors wrap ErrMalformed.
func FromJSON(body []byte, k Kind) ([]byte, error) {
	message, err := capjson.Decode(body, uint64(k))
	var fault *capjson.Error
	if errors.As(err, &fault) {
		return nil, &Error{Field: fault.Field, Err: fmt.Errorf("%w: %w", ErrMalformed, fault.Err)}
	}
	return message, err
}

// ToJSON returns the JSON form of a message that an Encode function made.
func ToJSON(message []byte, k Kind) ([]byte, error) { return capjson.Encode(message, uint64(k)) }

// ToCloudJSON is ToJSON for clients of the cloud's API, in which numbers of 64 bits are numbers.
func ToCloudJSON(message []byte, k Kind) ([]byte, error) {
	return capjson.EncodeNumbers(message, uint64(k))
}
