package filtertest

import (
	"testing"

	"azulejo/datatype"
	"azulejo/filter"
)

func TestEveryFilterIsInTheBattery(t *testing.T) {
	in := map[filter.Code]bool{filter.WebP: true} // TestImages
	for _, s := range Specs() {
		in[s.Code] = true
	}
	for c := filter.Code(0); c < 255; c++ {
		if c.Supported() != in[c] {
			t.Errorf("%s: supported %v, in the battery %v", c, c.Supported(), in[c])
		}
	}
}

func TestImages(t *testing.T) {
	for layout := uint8(1); layout <= 4; layout++ {
		for _, extra := range [][]filter.Spec{nil, {filter.Plain(filter.ChecksumMD5)}, {filter.Compressor(filter.Zstd, 3), filter.Plain(filter.ChecksumSHA256)}} {
			RunImages(t, layout, 17, 24, extra)
		}
	}
}

func TestBattery(t *testing.T) {
	for _, p := range Pipelines() {
		t.Run(Name(p), func(t *testing.T) {
			for typ := datatype.Type(0); typ.Valid(); typ++ {
				t.Run(typ.String(), func(t *testing.T) { Run(t, p, typ, 1) })
			}
			t.Run("3 x INT32", func(t *testing.T) { Run(t, p, datatype.Int32, 3) })
			t.Run("5 x UINT8", func(t *testing.T) { Run(t, p, datatype.Uint8, 5) })
			t.Run("texts", func(t *testing.T) { RunTexts(t, p, datatype.StringASCII, nil) })
			t.Run("UTF-8 texts", func(t *testing.T) { RunTexts(t, p, datatype.StringUTF8, nil) })
		})
	}
}
