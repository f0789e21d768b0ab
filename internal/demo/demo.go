// Package demo loads a few small, real data sets through a running server's public API, as a client would: a table, an
// image and a sparse table with a string dimension. data/README.md names their sources and licences.
package demo

import (
	"bytes"
	"context"
	"embed"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"image"
	_ "image/jpeg" // the photograph's format
	"io"
	"net/http"
	"net/url"
	"strconv"

	"azulejo/datatype"
	"azulejo/internal/wire"
	"azulejo/query"
	"azulejo/schema"
)

//go:embed data
var data embed.FS

// Server is where and as whom the data sets are loaded.
type Server struct {
	// Base is the address without a trailing slash, such as http://127.0.0.1:8080.
	Base string
	// Token is an API token that may write arrays, and Namespace whose arrays they become.
	Token, Namespace string
	// Client makes the requests; nil means http.DefaultClient.
	Client *http.Client
}

// Set is one data set: an array's name, its schema and its cells.
type Set struct {
	Name, About string
	Schema      *schema.Array
	Write       query.Write
}

// Load creates and writes the arrays that are not there yet and returns all sets. It is safe to run again.
func Load(ctx context.Context, s Server) ([]Set, error) {
	sets, err := Sets()
	if err != nil {
		return nil, err
	}
	for _, set := range sets {
		if err := s.load(ctx, set); err != nil {
			return nil, fmt.Errorf("demo array %s: %w", set.Name, err)
		}
	}
	return sets, nil
}

func (s Server) load(ctx context.Context, set Set) error {
	array := "/arrays/" + url.PathEscape(s.Namespace) + "/" + url.PathEscape(set.Name)
	status, answer, err := s.do(ctx, http.MethodGet, "/v2"+array+"/non_empty_domain", nil)
	switch {
	case err != nil:
		return err
	case status == http.StatusNotFound:
		body, err := wire.EncodeSchema(set.Schema)
		if err != nil {
			return err
		}
		if err := s.must(ctx, "/v1"+array, body); err != nil {
			return err
		}
	case status != http.StatusOK:
		return fmt.Errorf("status %d: %s", status, answer)
	default:
		if filled, err := wire.DecodeHasCells(answer); err != nil || filled {
			return err
		}
	}
	request, err := wire.EncodeWriteRequest(&set.Write, set.Schema)
	if err != nil {
		return err
	}
	var body bytes.Buffer
	if _, err := request.WriteTo(&body); err != nil {
		return err
	}
	return s.must(ctx, "/v3"+array+"/query/submit?type=WRITE", body.Bytes())
}

func (s Server) must(ctx context.Context, path string, body []byte) error {
	status, answer, err := s.do(ctx, http.MethodPost, path, body)
	if err == nil && status >= 300 {
		err = fmt.Errorf("status %d: %s", status, answer)
	}
	return err
}

// maxAnswer bounds what is read of a reply.
const maxAnswer = 1 << 20

func (s Server) do(ctx context.Context, method, path string, body []byte) (int, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, s.Base+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("X-TILEDB-REST-API-KEY", s.Token)
	request.Header.Set("Content-Type", "application/capnp")
	client := s.Client
	if client == nil {
		client = http.DefaultClient
	}
	reply, err := client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer reply.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(reply.Body, maxAnswer))
	return reply.StatusCode, answer, err
}

// Sets returns the data sets.
func Sets() ([]Set, error) {
	table, err := economy()
	if err != nil {
		return nil, err
	}
	photo, err := photograph()
	if err != nil {
		return nil, err
	}
	states, err := states()
	return []Set{table, photo, states}, err
}

// readTable returns the header and the rows of an embedded CSV file.
func readTable(name string) (header []string, rows [][]string, err error) {
	file, err := data.Open("data/" + name)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	all, err := csv.NewReader(file).ReadAll()
	if err != nil || len(all) < 2 {
		return nil, nil, fmt.Errorf("%s has no rows: %w", name, err)
	}
	return all[0], all[1:], nil
}

// numbers returns column i of rows as 64-bit floats.
func numbers(rows [][]string, i int) ([]byte, error) {
	v := make([]float64, len(rows))
	for r, row := range rows {
		var err error
		if v[r], err = strconv.ParseFloat(row[i], 64); err != nil {
			return nil, err
		}
	}
	return datatype.Bytes(v), nil
}

// floats adds an attribute of 64-bit floats for every column from first on.
func (set *Set) floats(header []string, rows [][]string, first int) error {
	for i := first; i < len(header); i++ {
		cells, err := numbers(rows, i)
		if err != nil {
			return fmt.Errorf("column %s: %w", header[i], err)
		}
		set.Schema.Attributes = append(set.Schema.Attributes, attribute(header[i], datatype.Float64))
		set.Write.Columns = append(set.Write.Columns, query.Column{Name: header[i], Data: cells})
	}
	return nil
}

// economy is a dense table: one row a quarter.
func economy() (Set, error) {
	set := Set{Name: "us_economy", About: "203 quarters of figures of the United States' economy, a dense table"}
	header, rows, err := readTable("macrodata.csv")
	if err != nil {
		return set, err
	}
	set.Schema = newSchema(schema.Dense, dimension("row", len(rows), 64))
	set.Write = query.Write{Layout: schema.RowMajor, Subarray: whole(set.Schema)}
	return set, set.floats(header, rows, 0)
}

// photograph is a dense array of three dimensions: rows, columns and the three colours.
func photograph() (Set, error) {
	set := Set{Name: "china_photo", About: "a colour photograph of 427 by 640 pixels, a dense array (row, column, colour)"}
	file, err := data.Open("data/china.jpg")
	if err != nil {
		return set, err
	}
	defer file.Close()
	picture, _, err := image.Decode(file)
	if err != nil {
		return set, err
	}
	size := picture.Bounds().Size()
	cells := make([]byte, 0, size.X*size.Y*3)
	for y := range size.Y {
		for x := range size.X {
			r, g, b, _ := picture.At(x, y).RGBA()
			cells = append(cells, byte(r>>8), byte(g>>8), byte(b>>8))
		}
	}
	set.Schema = newSchema(schema.Dense, dimension("row", size.Y, 128), dimension("column", size.X, 128), dimension("colour", 3, 3))
	set.Schema.Attributes = []schema.Attribute{attribute("intensity", datatype.Uint8)}
	set.Write = query.Write{Layout: schema.RowMajor, Subarray: whole(set.Schema), Columns: []query.Column{{Name: "intensity", Data: cells}}}
	return set, nil
}

// states is a sparse table with a string dimension.
func states() (Set, error) {
	set := Set{Name: "us_states", About: "figures of 51 states, a sparse array sliced by the state's name"}
	header, rows, err := readTable("statecrime.csv")
	if err != nil {
		return set, err
	}
	set.Schema = newSchema(schema.Sparse, schema.Dimension{Name: "state", Type: datatype.StringASCII, CellValNum: datatype.VarNum})
	set.Write = query.Write{Layout: schema.Unordered, CheckDups: true, CheckOutOfBounds: true}
	names := query.Column{Name: "state"}
	offsets := make([]uint64, len(rows))
	for i, row := range rows {
		offsets[i] = uint64(len(names.Data))
		names.Data = append(names.Data, row[0]...)
	}
	names.Offsets = datatype.Bytes(offsets)
	set.Write.Columns = []query.Column{names}
	return set, set.floats(header, rows, 1)
}

// newSchema returns a schema without attributes and with the defaults that TileDB's clients choose.
func newSchema(kind schema.ArrayType, dims ...schema.Dimension) *schema.Array {
	return &schema.Array{Version: 22, Type: kind, TileOrder: schema.RowMajor, CellOrder: schema.RowMajor, Capacity: 10000,
		CoordsFilters: schema.DefaultCoordsFilters(), OffsetsFilters: schema.DefaultOffsetsFilters(),
		ValidityFilters: schema.DefaultValidityFilters(), Domain: schema.Domain{Dimensions: dims}}
}

// dimension returns a dimension of n cells, counted from 0.
func dimension(name string, n, extent int) schema.Dimension {
	return schema.Dimension{Name: name, Type: datatype.Int64, CellValNum: 1,
		Domain: datatype.Bytes([]int64{0, int64(n - 1)}), Extent: datatype.Bytes([]int64{int64(extent)})}
}

func attribute(name string, t datatype.Type) schema.Attribute {
	return schema.Attribute{Name: name, Type: t, CellValNum: 1, Fill: schema.DefaultFill(t, 1), Filters: schema.DefaultCoordsFilters()}
}

// whole selects the whole domain of a dense schema.
func whole(s *schema.Array) query.Subarray {
	var sub query.Subarray
	for _, d := range s.Domain.Dimensions {
		sub.Ranges = append(sub.Ranges, []schema.Range{d.DomainRange()})
	}
	return sub
}

// Install is the command that gives Python what Snippet needs.
const Install = "pip install tiledb pyarrow 'pandas<3'"

// Snippet returns lines of Python to paste that read the demo arrays with the unmodified client.
func Snippet(s Server) string {
	quote := func(v string) string {
		b, _ := json.Marshal(v)
		return string(b)
	}
	return `import tiledb

ctx = tiledb.Ctx({"rest.server_address": ` + quote(s.Base) + `,
                  "rest.token": ` + quote(s.Token) + `})

with tiledb.open("tiledb://` + s.Namespace + `/us_states", ctx=ctx) as A:
    print(A.df["Idaho":"Maine"])                                  # a slice by name
    print(A.query(attrs=["murder"], cond="murder > 10").df[:])    # a condition, evaluated by the server
with tiledb.open("tiledb://` + s.Namespace + `/us_economy", ctx=ctx) as A:
    print(A.query(attrs=["year", "quarter", "realgdp", "unemp"]).df[198:202])   # rows 198 to 202, four of 14 columns
with tiledb.open("tiledb://` + s.Namespace + `/china_photo", ctx=ctx) as A:
    print(A[100:102, 200:203, :]["intensity"])                    # a window of the photograph
`
}
