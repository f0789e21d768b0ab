package format

import "testing"

func BenchmarkDecodeFooter(b *testing.B) {
	a := readSchema(b, "vectors/sparse/schema0.tdb")
	file := read(b, "vectors/sparse/fragment0.tdb")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeFooter(file, int64(len(file)), Version, always(a)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeArraySchema(b *testing.B) {
	file := read(b, "vectors/sparse/schema0.tdb")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeArraySchema(file); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeFragmentMetadata(b *testing.B) {
	m, err := DecodeFragmentMetadata(read(b, "vectors/sparse/fragment0.tdb"), Version, false, always(readSchema(b, "vectors/sparse/schema0.tdb")))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := EncodeFragmentMetadata(m, nil); err != nil {
			b.Fatal(err)
		}
	}
}
