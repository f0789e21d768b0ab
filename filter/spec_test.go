package filter_test

import (
	"errors"
	"strings"
	"testing"

	"azulejo/datatype"
	"azulejo/filter"
	"azulejo/internal/bin"
)

func TestOptionsAreReadAsTheyWereGiven(t *testing.T) {
	if level, ok := filter.Compressor(filter.Zstd, -7).Level(); !ok || level != -7 {
		t.Errorf("level %d, %v", level, ok)
	}
	s := filter.Reinterpreting(filter.Delta, 3, datatype.Int16)
	if as, ok := s.Reinterpret(); !ok || as != datatype.Int16 || s.Options[0] != 8 {
		t.Errorf("reinterprets as %s, %v, options %x", as, ok, s.Options)
	}
	if level, ok := s.Level(); !ok || level != 3 {
		t.Errorf("level %d, %v", level, ok)
	}
	if as, ok := filter.Compressor(filter.DoubleDelta, -1).Reinterpret(); !ok || as != datatype.Any {
		t.Errorf("reinterprets as %s, %v", as, ok)
	}
	if n, ok := filter.Windowed(filter.BitWidthReduction, 300).MaxWindow(); !ok || n != 300 {
		t.Errorf("window %d, %v", n, ok)
	}
	scale := filter.FloatScaleOptions{Scale: 0.5, Offset: -1, ByteWidth: 2}
	if o, ok := filter.Scaling(scale).Scaling(); !ok || o != scale {
		t.Errorf("scale %v, %v", o, ok)
	}
	image := filter.WebPOptions{Quality: 80.5, Format: 3, Lossless: true, YExtent: 100, XExtent: 400}
	if o, ok := filter.Image(image).Image(); !ok || o != image {
		t.Errorf("image %v, %v", o, ok)
	}
	if _, ok := filter.Plain(filter.Bitshuffle).Level(); ok {
		t.Error("a shuffle has a level")
	}
}

func TestNamesAreParsed(t *testing.T) {
	for c := filter.Code(0); c < 30; c++ {
		got, ok := filter.ParseCode(strings.ToLower(c.String()))
		if ok != c.Valid() || ok && got != c {
			t.Errorf("%s parsed as %s, %v", c, got, ok)
		}
	}
}

func TestSpecCheck(t *testing.T) {
	for name, c := range map[string]struct {
		spec filter.Spec
		want error
	}{
		"good":               {filter.Compressor(filter.Gzip, 5), nil},
		"not built yet":      {filter.Plain(filter.XOR), nil},
		"unknown code":       {filter.Spec{Code: 17}, filter.ErrUnsupported},
		"no options":         {filter.Plain(filter.Gzip), filter.ErrOptions},
		"too many options":   {filter.Spec{Code: filter.Byteshuffle, Options: []byte{1}}, filter.ErrOptions},
		"another compressor": {filter.Spec{Code: filter.Gzip, Options: filter.Compressor(filter.Zstd, 1).Options}, filter.ErrOptions},
		"unknown type":       {filter.Reinterpreting(filter.Delta, -1, 99), filter.ErrOptions},
	} {
		if err := c.spec.Check(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPipelineCheck holds the rules that libtiledb has for schemas.
func TestPipelineCheck(t *testing.T) {
	rle, md5, delta := filter.Compressor(filter.RLE, -1), filter.Plain(filter.ChecksumMD5), filter.Compressor(filter.Delta, -1)
	for name, c := range map[string]struct {
		t       datatype.Type
		isVar   bool
		filters []filter.Spec
		want    error
	}{
		"none":                        {datatype.Float64, false, nil, nil},
		"delta of floats":             {datatype.Float64, false, []filter.Spec{delta}, filter.ErrUnfilterable},
		"delta of floats as integers": {datatype.Float64, false, []filter.Spec{filter.Reinterpreting(filter.Delta, -1, datatype.Int64)}, nil},
		"delta as wider integers":     {datatype.Uint16, false, []filter.Spec{filter.Reinterpreting(filter.Delta, -1, datatype.Int64)}, filter.ErrUnfilterable},
		"windows of texts":            {datatype.StringASCII, true, []filter.Spec{filter.Windowed(filter.BitWidthReduction, 256)}, filter.ErrUnfilterable},
		"windows of dates":            {datatype.DateTimeDay, false, []filter.Spec{filter.Windowed(filter.PositiveDelta, 256)}, nil},
		"texts, RLE second":           {datatype.StringUTF8, true, []filter.Spec{md5, rle}, filter.ErrUnfilterable},
		"fixed texts, RLE second":     {datatype.StringUTF8, false, []filter.Spec{md5, rle}, nil},
		"unknown type":                {99, false, nil, filter.ErrUnfilterable},
		"encryption":                  {datatype.Int32, false, []filter.Spec{filter.Plain(filter.AES256GCM)}, filter.ErrUnsupported},
		"scaled floats, then delta":   {datatype.Float64, false, []filter.Spec{filter.Scaling(filter.FloatScaleOptions{Scale: 1, ByteWidth: 4}), delta}, nil},
	} {
		p := filter.Pipeline{Filters: c.filters}
		if err := p.Check(c.t, c.isVar); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOldOptionsAreCompleted(t *testing.T) {
	var w bin.Writer
	old := filter.Pipeline{MaxChunk: 5}
	for _, c := range []filter.Code{filter.Delta, filter.DoubleDelta, filter.Gzip} {
		s := filter.Compressor(c, 7)
		old.Filters = append(old.Filters, filter.Spec{Code: c, Options: s.Options[:5]})
	}
	old.Encode(&w)
	for version, whole := range map[uint32]int{18: 2, 19: 1, 20: 0} {
		p := filter.Decode(bin.NewReader(w.B), version)
		n := 0
		for _, s := range p.Filters {
			if as, ok := s.Reinterpret(); ok && as == datatype.Any && s.Check() == nil {
				n++
			}
		}
		if n != whole || p.MaxChunk != 5 || p.Filters[2].Check() != nil {
			t.Errorf("version %d: %d delta filters are whole, want %d", version, n, whole)
		}
	}
	for n := range w.B {
		r := bin.NewReader(w.B[:n])
		if filter.Decode(r, 22); r.Err() == nil {
			t.Errorf("a pipeline of %d of %d bytes passes", n, len(w.B))
		}
	}
}
