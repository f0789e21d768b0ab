package wire

import "encoding/binary"

// verifier follows every pointer of a message once. Positions are counted in words.
type verifier struct {
	segments [][]byte
	// budget is how many words may still be reached. A pointer that is followed twice pays twice, so that a small message
	// cannot describe a large tree.
	budget int64
}

// verify checks the message b, of which MessageLength is len(b): every pointer stays inside its segment, every list has
// room for its elements, there are no capabilities and no lists of bits or of empty elements, nesting and total size are
// bounded.
func verify(b []byte) error {
	v := verifier{segments: splitSegments(b), budget: int64(len(b)/8)*amplification + 64}
	if len(v.segments[0]) < 8 {
		return malformed("no root pointer")
	}
	return v.pointer(0, 0, 0)
}

// splitSegments cuts a message of proper length into its segments.
func splitSegments(b []byte) [][]byte {
	segments := make([][]byte, segmentCount(b))
	head, _ := tableLength(b)
	at := head
	for i := range segments {
		n := 8 * int(binary.LittleEndian.Uint32(b[4+4*i:]))
		segments[i] = b[at : at+n]
		at += n
	}
	return segments
}

// word returns a word of a segment, false when there is none.
func (v *verifier) word(segment uint32, at int64) (uint64, bool) {
	if int64(segment) >= int64(len(v.segments)) || at < 0 || at >= int64(len(v.segments[segment])/8) {
		return 0, false
	}
	return binary.LittleEndian.Uint64(v.segments[segment][at*8:]), true
}

// charge pays for n words starting at a word of a segment and checks that they are there.
func (v *verifier) charge(segment uint32, at, n int64) error {
	if at < 0 || n < 0 || at+n > int64(len(v.segments[segment])/8) {
		return malformed("pointer to words %d to %d of a segment of %d", at, at+n, len(v.segments[segment])/8)
	}
	v.budget -= n + 1
	if v.budget < 0 {
		return malformed("message refers to more than %d times its size", amplification)
	}
	return nil
}

// pointer checks the pointer at a word and everything it leads to.
func (v *verifier) pointer(segment uint32, at int64, depth int) error {
	o, err := v.target(segment, at)
	switch {
	case err != nil:
		return err
	case o.word == 0:
		return nil
	case depth >= maxNesting:
		return malformed("nested more than %d deep", maxNesting)
	}
	return v.object(o, depth)
}

// object is what a pointer leads to: the word that describes it, and the segment and the word in it that it begins at. The
// word is 0 for nothing.
type object struct {
	word    uint64
	segment uint32
	at      int64
}

// target finds what the pointer at a word leads to, through the pointers into other segments, without looking at it.
func (v *verifier) target(segment uint32, at int64) (object, error) {
	w, ok := v.word(segment, at)
	switch {
	case !ok:
		return object{}, malformed("pointer outside its segment")
	case w == 0:
		return object{}, nil
	case w&3 == 2:
		return v.far(w)
	}
	return object{w, segment, at + 1 + int64(int32(uint32(w))>>2)}, nil
}

// far finds what a pointer into another segment leads to.
func (v *verifier) far(w uint64) (object, error) {
	segment, pad := uint32(w>>32), int64(uint32(w)>>3)
	landing, ok := v.word(segment, pad)
	if !ok {
		return object{}, malformed("far pointer outside the message")
	}
	if w&4 == 0 {
		if landing&3 == 2 {
			return object{}, malformed("far pointer to a far pointer")
		}
		if landing == 0 {
			return object{}, nil
		}
		return object{landing, segment, pad + 1 + int64(int32(uint32(landing))>>2)}, nil
	}
	tag, ok := v.word(segment, pad+1)
	if !ok || landing&7 != 2 {
		return object{}, malformed("far pointer with a broken landing pad")
	}
	if tag&3 > 1 || uint32(tag)>>2 != 0 {
		return object{}, malformed("far pointer with a broken tag")
	}
	target := uint32(landing >> 32)
	if int64(target) >= int64(len(v.segments)) {
		return object{}, malformed("far pointer outside the message")
	}
	return object{tag, target, int64(uint32(landing) >> 3)}, nil
}

// object checks a struct or list and everything in it.
func (v *verifier) object(o object, depth int) error {
	switch o.word & 3 {
	case 0:
		data, pointers := structSize(o.word)
		if err := v.charge(o.segment, o.at, data+pointers); err != nil {
			return err
		}
		return v.pointers(o.segment, o.at+data, pointers, depth+1)
	case 1:
		return v.list(o.word, o.segment, o.at, depth)
	}
	return malformed("capability in a message")
}

// structSize returns the words of data and of pointers that a struct pointer announces.
func structSize(w uint64) (data, pointers int64) {
	return int64(uint16(w >> 32)), int64(uint16(w >> 48))
}

// pointers checks n pointers in a row.
func (v *verifier) pointers(segment uint32, at, n int64, depth int) error {
	words := v.segments[segment][8*at:]
	for i := range n {
		w := binary.LittleEndian.Uint64(words[8*i:])
		switch {
		case w == 0:
			continue
		case w&3 == 1 && w>>32&7 == 2 && depth < maxNesting: // bytes or a text, which most pointers lead to: nothing lies below
			if err := v.charge(segment, at+i+1+int64(int32(uint32(w))>>2), (int64(w>>35)+7)/8); err != nil {
				return err
			}
			continue
		}
		if err := v.pointer(segment, at+i, depth); err != nil {
			return err
		}
	}
	return nil
}

// elementSize has the bytes of an element by the code in a list pointer. Lists of bits (code 1) do not occur in the
// protocol; 6 and 7 are pointers and structs.
var elementSize = [6]int64{2: 1, 3: 2, 4: 4, 5: 8}

// list checks a list that begins at a word of a segment.
func (v *verifier) list(w uint64, segment uint32, at int64, depth int) error {
	code, n := w>>32&7, int64(w>>35)
	switch code {
	case 7:
		return v.structs(segment, at, n, depth)
	case 6:
		if err := v.charge(segment, at, n); err != nil {
			return err
		}
		return v.pointers(segment, at, n, depth+1)
	case 0, 1:
		if n != 0 {
			return malformed("list of %d empty elements or bits", n)
		}
	}
	return v.charge(segment, at, (n*elementSize[code]+7)/8)
}

// structs checks a list of structs of n words, which begins with a word that says their size and number.
func (v *verifier) structs(segment uint32, at, n int64, depth int) error {
	if err := v.charge(segment, at, n+1); err != nil {
		return err
	}
	tag, _ := v.word(segment, at)
	data, pointers := structSize(tag)
	count := int64(int32(uint32(tag)) >> 2)
	if tag&3 != 0 || count < 0 || count*(data+pointers) > n || count > 0 && data+pointers == 0 {
		return malformed("list of %d structs of %d words in %d words", count, data+pointers, n)
	}
	if pointers == 0 {
		return nil
	}
	for i := range count {
		if err := v.pointers(segment, at+1+i*(data+pointers)+data, pointers, depth+1); err != nil {
			return err
		}
	}
	return nil
}
