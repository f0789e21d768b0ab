package qr

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
)

// TestCheck compares with the codewords that the literature gives for "HELLO WORLD" in a code of version 1 at level M.
func TestCheck(t *testing.T) {
	block := []byte{32, 91, 11, 120, 209, 114, 220, 77, 67, 64, 236, 17, 236, 17, 236, 17}
	want := []byte{196, 35, 39, 119, 235, 215, 231, 226, 93, 23}
	if got := check(block, 10); !bytes.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestTables compares with the standard's tables: places of alignment patterns and numbers of codewords.
func TestTables(t *testing.T) {
	for version, want := range map[int][]int{2: {6, 18}, 6: {6, 34}, 7: {6, 22, 38}, 10: {6, 28, 50}, 13: {6, 34, 62}, 14: {6, 26, 46, 66}, 15: {6, 26, 48, 70}} {
		if got := alignments(version); !slices.Equal(got, want) {
			t.Errorf("version %d: %v, want %v", version, got, want)
		}
	}
	for version, want := range []int{26, 44, 70, 100, 134, 172, 196, 242, 292, 346, 404, 466, 532, 581, 655} {
		if got := codewords(version + 1); got != want {
			t.Errorf("version %d holds %d codewords, want %d", version+1, got, want)
		}
	}
	for mask, want := range []int{0b101010000010010, 0b101000100100101, 0b101111001111100, 0b101101101001011, 0b100010111111001, 0b100000011001110, 0b100111110010111, 0b100101010100000} {
		if got := (mask<<10 | remainder(mask, 0x537, 10)) ^ 0x5412; got != want {
			t.Errorf("mask %d: %015b, want %015b", mask, got, want)
		}
	}
	if got := 7<<12 | remainder(7, 0x1f25, 12); got != 0b000111110010010100 {
		t.Errorf("version 7: %018b", got)
	}
}

// read takes a code apart again, checks its error correction, and returns the text.
func read(t *testing.T, c *Code) string {
	t.Helper()
	bits := 0
	for i, at := range [][2]int{{8, 0}, {8, 1}, {8, 2}, {8, 3}, {8, 4}, {8, 5}, {8, 7}, {8, 8}, {7, 8}, {5, 8}, {4, 8}, {3, 8}, {2, 8}, {1, 8}, {0, 8}} {
		if c.Dark(at[0], at[1]) {
			bits |= 1 << i
		}
	}
	mask := (bits ^ 0x5412) >> 10
	if mask > 7 {
		t.Fatalf("level and mask %b", mask)
	}
	var words []byte
	n := 0
	for right := c.Size - 1; right > 0; right -= 2 {
		if right == 6 {
			right--
		}
		up := (c.Size-1-right)/2%2 == 0
		if right < 6 {
			up = (c.Size-2-right)/2%2 == 0
		}
		for i := range c.Size {
			y := i
			if up {
				y = c.Size - 1 - i
			}
			for x := right; x >= right-1; x-- {
				if c.fixed[y*c.Size+x] {
					continue
				}
				if n%8 == 0 {
					words = append(words, 0)
				}
				if c.Dark(x, y) != masks[mask](x, y) {
					words[n/8] |= 1 << (7 - n%8)
				}
				n++
			}
		}
	}
	b := blocks[c.version-1]
	total := n / 8
	nData := total - b.ecc*b.n
	parts := make([][]byte, b.n)
	at := 0
	for i := 0; at < nData; i++ {
		for j := range parts {
			if i < nData/b.n || j >= b.n-nData%b.n {
				parts[j] = append(parts[j], words[at])
				at++
			}
		}
	}
	lengths := make([]int, b.n)
	for j := range parts {
		lengths[j] = len(parts[j])
	}
	for range b.ecc {
		for j := range parts {
			parts[j] = append(parts[j], words[at])
			at++
		}
	}
	var data []byte
	for j, p := range parts {
		root := byte(1)
		for range b.ecc { // every root of the generator is one of a whole block
			var value byte
			for _, w := range p {
				value = multiply(value, root) ^ w
			}
			if value != 0 {
				t.Fatalf("block %d is not whole", j)
			}
			root = multiply(root, 2)
		}
		data = append(data, p[:lengths[j]]...)
	}
	shift, length := 0, int(data[0]&15)<<4|int(data[1]>>4)
	if c.version > 9 {
		shift, length = 1, int(data[0]&15)<<12|int(data[1])<<4|int(data[2]>>4)
	}
	if data[0]>>4 != 4 {
		t.Fatalf("mode %d", data[0]>>4)
	}
	text := make([]byte, length)
	for i := range text {
		text[i] = data[1+shift+i]<<4 | data[2+shift+i]>>4
	}
	return string(text)
}

// TestEncode encodes texts of every length and reads them again.
func TestEncode(t *testing.T) {
	last := 0
	for n := range 413 {
		text := strings.Repeat("otpauth://totp/é?", 30)[:n]
		c, err := Encode(text)
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		if got := read(t, c); got != text {
			t.Fatalf("%d bytes: %q", n, got)
		}
		if c.version < last || c.version > last+1 {
			t.Errorf("%d bytes make version %d, one less %d", n, c.version, last)
		}
		last = c.version
	}
	if last != len(blocks) {
		t.Errorf("412 bytes make version %d", last)
	}
	if _, err := Encode(strings.Repeat("x", 413)); !errors.Is(err, ErrTooLong) {
		t.Errorf("413 bytes: %v", err)
	}
}

// TestPath draws the same modules as SVG.
func TestPath(t *testing.T) {
	c, err := Encode("azulejo")
	if err != nil {
		t.Fatal(err)
	}
	if path := c.Path(); !strings.HasPrefix(path, "M4 4h7v1h-7z") || strings.Contains(path, "h0") {
		t.Errorf("path %.60s", path)
	}
}
