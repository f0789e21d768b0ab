package wire

// settings goes through the configuration of a request, whose struct the pointer of that number in the root leads to:
//
//	root → struct Config { entries } → list of structs { key, value }, both texts
//
// Clients send some 150 entries with every request, of which a handful matter, so this looks at the bytes of the message
// rather than make an object for each entry and text, and at values only whose keys are wanted. verify must have accepted the message. Keys
// and values share its memory.
func settings(message []byte, slot int64, wanted func(key []byte) bool, each func(key, value []byte)) error {
	v := verifier{segments: splitSegments(message)}
	root, err := v.target(0, 0)
	if err != nil {
		return err
	}
	config, err := v.member(root, slot)
	if err != nil {
		return err
	}
	list, err := v.member(config, 0)
	if err != nil || list.word == 0 {
		return err
	}
	if list.word&3 != 1 || list.word>>32&7 != 7 {
		return malformed("the entries are not a list of structs")
	}
	tag, _ := v.word(list.segment, list.at)
	data, pointers := structSize(tag)
	for i := range int64(int32(uint32(tag)) >> 2) {
		entry := object{tag, list.segment, list.at + 1 + i*(data+pointers)}
		key, err := v.text(entry, 0)
		if err != nil {
			return err
		}
		if !wanted(key) {
			continue
		}
		value, err := v.text(entry, 1)
		if err != nil {
			return err
		}
		each(key, value)
	}
	return nil
}

// member finds what a pointer of a struct leads to: nothing when the struct is nothing or shorter.
func (v *verifier) member(o object, slot int64) (object, error) {
	if o.word == 0 {
		return object{}, nil
	}
	if o.word&3 != 0 {
		return object{}, malformed("not a struct")
	}
	data, pointers := structSize(o.word)
	if slot >= pointers {
		return object{}, nil
	}
	return v.target(o.segment, o.at+data+slot)
}

// text returns the text that a pointer of a struct leads to, without the zero byte that must end it; nil when there is none.
func (v *verifier) text(o object, slot int64) ([]byte, error) {
	t, err := v.member(o, slot)
	if err != nil || t.word == 0 {
		return nil, err
	}
	n, segment := int64(t.word>>35), v.segments[t.segment]
	if t.word&3 != 1 || t.word>>32&7 != 2 || t.at < 0 || n > int64(len(segment))-8*t.at {
		return nil, malformed("not a text")
	}
	b := segment[8*t.at:][:n]
	if n == 0 || b[n-1] != 0 {
		return nil, nil
	}
	return b[:n-1], nil
}
