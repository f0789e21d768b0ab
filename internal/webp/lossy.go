package webp

import (
	"bytes"
	"compress/gzip"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// method is libwebp's default trade of speed for size, which TileDB uses.
const method = 4

// colours says to libwebp's entry that pixels are red, green, blue and alpha.
const colours = 0

// libwebp is the library compiled to WebAssembly, with its licences beside it. It runs in memory of its own, of 4 GiB at
// most, and reaches no file, no clock and no library of the system.
//
//go:embed libwebp/webp.wasm.gz
var libwebp []byte

// machine is the compiled library and the runtime that it is compiled for.
type machine struct {
	runtime wazero.Runtime
	code    wazero.CompiledModule
}

// compiled compiles the library once.
var compiled = sync.OnceValues(func() (*machine, error) {
	packed, err := gzip.NewReader(bytes.NewReader(libwebp))
	if err != nil {
		return nil, err
	}
	code, err := io.ReadAll(packed)
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	m := &machine{runtime: wazero.NewRuntime(ctx)}
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, m.runtime); err != nil {
		return nil, err
	}
	m.code, err = m.runtime.CompileModule(ctx, code)
	return m, err
})

// errNoRoom says that an image and its encoding do not fit the memory of the library.
var errNoRoom = errors.New("it does not fit 4 GiB with what is made of it")

// AppendLossy appends the lossy file of an image to dst, as libwebp makes it. The quality goes from 0 to 100 and is rounded
// to whole numbers from 1 up. len(pixels) must be width * height * l.Depth(); no side may be 0 or above MaxSide. Some 16
// bytes per pixel are in use for the time of the call.
func AppendLossy(dst, pixels []byte, width, height int, l Layout, quality float32) ([]byte, error) {
	q := min(max(int(math.Round(float64(quality))), 1), 100)
	dst, err := encodeLossy(dst, pack(pixels, l), width, height, q)
	if err != nil {
		return nil, fmt.Errorf("WebP image of %d x %d pixels: %w", width, height, err)
	}
	return dst, nil
}

// encodeLossy runs the library once, in memory that is given back at the end.
func encodeLossy(dst, rgba []byte, width, height, quality int) ([]byte, error) {
	m, err := compiled()
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	// Without a name there can be any number at a time.
	mod, err := m.runtime.InstantiateModule(ctx, m.code, wazero.NewModuleConfig().WithName(""))
	if err != nil {
		return nil, err
	}
	defer mod.Close(ctx) // best effort: there is nothing in it to lose
	in, err := place(ctx, mod, len(rgba))
	if err != nil {
		return nil, err
	}
	size, err := place(ctx, mod, 8)
	if err != nil {
		return nil, err
	}
	if !mod.Memory().Write(in, rgba) || !mod.Memory().WriteUint64Le(size, 0) {
		return nil, errNoRoom
	}
	const lossy, exact = 0, 0
	res, err := mod.ExportedFunction("encode").Call(ctx, uint64(in), uint64(width), uint64(height), uint64(size), colours,
		uint64(quality), method, lossy, exact)
	if err != nil {
		return nil, err
	}
	n, _ := mod.Memory().ReadUint32Le(size)
	file, ok := mod.Memory().Read(uint32(res[0]), n)
	if n == 0 || !ok {
		return nil, errNoRoom
	}
	return append(dst, file...), nil
}

// place returns the address of n bytes of the library's memory.
func place(ctx context.Context, mod api.Module, n int) (uint32, error) {
	if n > math.MaxInt32 {
		return 0, errNoRoom
	}
	res, err := mod.ExportedFunction("malloc").Call(ctx, uint64(n))
	if err != nil {
		return 0, err
	}
	if res[0] == 0 {
		return 0, errNoRoom
	}
	return uint32(res[0]), nil
}
