package arrowio

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow/memory"
)

// arrow-go believes the counts in the schema of an IPC file and reserves memory for them, which nothing can recover from
// when the file is damaged. checkIPC walks the schema first. Everything of the schema is a FlatBuffers table: an i32
// that leads back to a list of u16 positions of its fields; lists and texts begin with a u32 count.

// maxSchema bounds the bytes of an IPC schema, maxDepth the nesting of its fields.
const (
	maxSchema = 64 << 20
	maxDepth  = 64
)

// flat is the text of FlatBuffers with the first fault found in it. left bounds the tables that are visited, so that
// tables that contain themselves end too.
type flat struct {
	b    []byte
	left int
	err  error
}

func (f *flat) fail(what string) int {
	if f.err == nil {
		f.err = fmt.Errorf("%w: damaged Arrow schema: %s", ErrInvalid, what)
	}
	return 0
}

// u32 returns the number at a position; 0 after a fault.
func (f *flat) u32(at int) int {
	if f.err != nil || at < 0 || at > len(f.b)-4 {
		return f.fail("a position beyond its end")
	}
	return int(binary.LittleEndian.Uint32(f.b[at:]))
}

// table checks the table at a position.
func (f *flat) table(at int) int {
	if f.left--; f.left < 0 {
		return f.fail("too many tables")
	}
	back := int(int32(f.u32(at)))
	fields := at - back
	if f.err != nil || fields < 0 || fields > len(f.b)-4 || fields+int(binary.LittleEndian.Uint16(f.b[fields:])) > len(f.b) {
		return f.fail("a table beyond its end")
	}
	return at
}

// slot returns where field i of a table stands, 0 when it has none.
func (f *flat) slot(table, i int) int {
	if f.err != nil {
		return 0
	}
	fields := table - int(int32(f.u32(table)))
	if f.err != nil || 4+2*i+2 > int(binary.LittleEndian.Uint16(f.b[fields:])) {
		return 0
	}
	if off := int(binary.LittleEndian.Uint16(f.b[fields+4+2*i:])); off > 0 {
		return table + off
	}
	return 0
}

// list returns where the elements of a list that field i of a table names begin, and how many there are.
func (f *flat) list(table, i, width int) (at, n int) {
	slot := f.slot(table, i)
	if slot == 0 {
		return 0, 0
	}
	at = slot + f.u32(slot)
	n = f.u32(at)
	if f.err != nil || n > (len(f.b)-at-4)/width {
		return f.fail("a list longer than the schema"), 0
	}
	return at + 4, n
}

// child returns the table that field i of a table names, 0 when there is none.
func (f *flat) child(table, i int) int {
	slot := f.slot(table, i)
	if slot == 0 {
		return 0
	}
	return f.table(slot + f.u32(slot))
}

// schema checks a Schema table: its fields are its slot 1, its metadata slot 2.
func (f *flat) schema(table int) {
	at, n := f.list(table, 1, 4)
	for i := 0; i < n && f.err == nil; i++ {
		f.field(f.table(at+4*i+f.u32(at+4*i)), maxDepth)
	}
	f.pairs(table, 2)
}

// field checks a Field table: name 0, type 3, dictionary 4, children 5, metadata 6.
func (f *flat) field(table, depth int) {
	if depth == 0 {
		f.fail("too deeply nested")
	}
	if f.err != nil {
		return
	}
	f.list(table, 0, 1)
	f.child(table, 3)
	f.child(table, 4)
	at, n := f.list(table, 5, 4)
	for i := 0; i < n && f.err == nil; i++ {
		f.field(f.table(at+4*i+f.u32(at+4*i)), depth-1)
	}
	f.pairs(table, 6)
}

// pairs checks a list of tables of two texts each.
func (f *flat) pairs(table, i int) {
	at, n := f.list(table, i, 4)
	for k := 0; k < n && f.err == nil; k++ {
		pair := f.table(at + 4*k + f.u32(at+4*k))
		f.list(pair, 0, 1)
		f.list(pair, 1, 1)
	}
}

// checkIPC checks the schema of an IPC file, which its footer holds, or of a stream, which its first message is.
func checkIPC(f *File, file bool) error {
	tail := make([]byte, 10)
	var at, n int64
	if file {
		if f.Size < 22 {
			return fmt.Errorf("%w: an Arrow file of %d bytes", ErrInvalid, f.Size)
		}
		if _, err := f.Data.ReadAt(tail, f.Size-10); err != nil && err != io.EOF {
			return err
		}
		n = int64(binary.LittleEndian.Uint32(tail))
		at = f.Size - 10 - n
	} else {
		if _, err := f.Data.ReadAt(tail[:8], 0); err != nil {
			return fmt.Errorf("%w: an Arrow stream of %d bytes", ErrInvalid, f.Size)
		}
		at, n = 4, int64(binary.LittleEndian.Uint32(tail))
		if n == 0xffffffff { // the marker of newer streams
			at, n = 8, int64(binary.LittleEndian.Uint32(tail[4:]))
		}
	}
	if at < 0 || n > maxSchema || n > f.Size-at {
		return fmt.Errorf("%w: damaged Arrow file: a schema of %d bytes", ErrInvalid, n)
	}
	text := make([]byte, n)
	if _, err := f.Data.ReadAt(text, at); err != nil && err != io.EOF {
		return err
	}
	b := &flat{b: text, left: len(text)}
	root := b.table(b.u32(0))
	if schema := b.child(root, schemaSlot(file)); schema != 0 {
		b.schema(schema)
	}
	return b.err
}

// schemaSlot is the field that has the schema: of a footer 1, of a message its header 2.
func schemaSlot(file bool) int {
	if file {
		return 1
	}
	return 2
}

// maxAllocation bounds one piece of memory that a decoder of foreign files asks for.
const maxAllocation = 1 << 31

// boundedAllocator refuses pieces of memory that only a damaged file asks for, by a panic, as Allocator has no errors;
// guard turns it into one.
type boundedAllocator struct{ memory.Allocator }

// Allocate returns size bytes.
func (b boundedAllocator) Allocate(size int) []byte {
	refuse(size)
	return b.Allocator.Allocate(size)
}

// Reallocate returns size bytes that begin with those of old.
func (b boundedAllocator) Reallocate(size int, old []byte) []byte {
	refuse(size)
	return b.Allocator.Reallocate(size, old)
}

func refuse(size int) {
	if size < 0 || size > maxAllocation {
		panic(fmt.Sprintf("it asks for %d bytes in one piece", size))
	}
}
