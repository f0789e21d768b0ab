package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"azulejo/datatype"
	"azulejo/internal/oracle/launch"
	"azulejo/internal/wire"
	"azulejo/query"
	"azulejo/schema"
)

const (
	// rounds is how often the server is killed.
	rounds = 20
	// writers write at the same time, makers create arrays meanwhile.
	writers, makers = 50, 4
	// cellsPerWrite is the cells of one write: all of them or none may be seen.
	cellsPerWrite = 20
)

// history is what clients saw succeed in one round.
type history struct {
	// Array is the array all writers write to, Made the arrays that makers created.
	Array string   `json:"array"`
	Made  []string `json:"made"`
	// Acked has the number of writes of each writer that were answered with success; the next one was cut off.
	Acked [writers]int `json:"acked"`

	mu sync.Mutex // guards Made
}

func TestKilledServerKeepsWhatItAcknowledged(t *testing.T) {
	data, allowed := t.TempDir(), t.TempDir()
	rng := rand.New(rand.NewPCG(20, 26))
	var past []*history
	for round := range rounds {
		s := launch.Start(t, launch.Options{Data: data, Allowed: allowed})
		c := &client{url: s.URL, token: s.Token, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: writers + makers}}}
		if round > 0 {
			if status, answer := c.call(t.Context(), http.MethodGet, "/v1/arrays/admin/"+past[round-1].Array+"/non_empty_domain", nil); status != http.StatusOK {
				t.Errorf("after the kill of round %d: %d %s", round-1, status, answer)
			}
		}
		h := &history{Array: fmt.Sprintf("round-%02d", round)}
		if !c.create(t.Context(), h.Array) {
			t.Fatalf("round %d: the array could not be created\n%s", round, s.Log())
		}
		moment := time.Duration(rng.IntN(600)) * time.Millisecond
		c.killAmidWrites(t, s, h, moment)
		past = append(past, h)
		c.http.CloseIdleConnections()
	}
	s := launch.Start(t, launch.Options{Data: data, Allowed: allowed})
	raw, err := json.Marshal(past)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(allowed, "killed.json")
	if err := os.WriteFile(file, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	done := 0
	for _, h := range past {
		for _, n := range h.Acked {
			done += n
		}
	}
	t.Logf("%d writes were acknowledged in %d rounds", done, rounds)
	if done < 10*rounds {
		t.Errorf("only %d writes were acknowledged: the kills came too early to show anything", done)
	}
	s.Script(t, "testdata/killed.py", 3*time.Minute)
}

// killAmidWrites runs all writers and makers, kills the server at the moment and waits for them to see it.
func (c *client) killAmidWrites(t *testing.T, s *launch.Server, h *history, moment time.Duration) {
	var all sync.WaitGroup
	started := make(chan struct{}, writers)
	for w := range writers {
		all.Go(func() {
			for c.write(t.Context(), h.Array, w, h.Acked[w]) {
				if h.Acked[w]++; h.Acked[w] == 1 {
					started <- struct{}{}
				}
			}
		})
	}
	for m := range makers {
		all.Go(func() {
			for k := 0; ; k++ {
				name := fmt.Sprintf("%s-made-%d-%d", h.Array, m, k)
				if !c.create(t.Context(), name) {
					return
				}
				h.mu.Lock()
				h.Made = append(h.Made, name)
				h.mu.Unlock()
			}
		})
	}
	<-started // from the first success on every moment is a fair one
	timer := time.NewTimer(moment)
	<-timer.C
	if err := s.Kill(); err != nil {
		t.Errorf("killing the server: %v", err)
	}
	all.Wait()
}

// client is a fast client of the REST protocol, enough for creating and writing.
type client struct {
	url, token string
	http       *http.Client
}

// call performs a request; status 0 stands for no answer.
func (c *client) call(ctx context.Context, method, path string, body []byte) (int, []byte) {
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil
	}
	req.Header.Set("X-TILEDB-REST-API-Key", c.token)
	req.Header.Set("Content-Type", "application/capnp")
	res, err := c.http.Do(req)
	if err != nil {
		return 0, nil
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, nil
	}
	return res.StatusCode, answer
}

func (c *client) create(ctx context.Context, name string) bool {
	body, err := wire.EncodeSchema(killSchema())
	if err != nil {
		return false
	}
	status, _ := c.call(ctx, http.MethodPost, "/v1/arrays/admin/"+name, body)
	return status >= 200 && status < 300
}

// write submits write number k of writer w and tells whether the server said that it was done.
func (c *client) write(ctx context.Context, name string, w, k int) bool {
	s := killSchema()
	columns := make([][]int64, 4)
	for i := range cellsPerWrite {
		for f, v := range []int{w, k, i, w*1000003 + k*1009 + i} {
			columns[f] = append(columns[f], int64(v))
		}
	}
	q := &query.Write{Layout: schema.Unordered, CheckDups: true, CheckOutOfBounds: true}
	for f, n := range []string{"writer", "number", "cell", "value"} {
		q.Columns = append(q.Columns, query.Column{Name: n, Data: datatype.Bytes(columns[f])})
	}
	reply, err := wire.EncodeWriteRequest(q, s)
	if err != nil {
		return false
	}
	var body bytes.Buffer
	if _, err := reply.WriteTo(&body); err != nil {
		return false
	}
	status, _ := c.call(ctx, http.MethodPost, "/v3/arrays/admin/"+name+"/query/submit?type=WRITE", body.Bytes())
	return status == http.StatusOK
}

// killSchema is a sparse array over writer, number of the write and cell.
func killSchema() *schema.Array {
	s := &schema.Array{Version: 22, Type: schema.Sparse, Capacity: 10, CoordsFilters: schema.DefaultCoordsFilters(),
		OffsetsFilters: schema.DefaultOffsetsFilters(), ValidityFilters: schema.DefaultValidityFilters(),
		Attributes: []schema.Attribute{{Name: "value", Type: datatype.Int64, CellValNum: 1, Fill: schema.DefaultFill(datatype.Int64, 1)}}}
	for _, n := range []string{"writer", "number", "cell"} {
		s.Domain.Dimensions = append(s.Domain.Dimensions, schema.Dimension{Name: n, Type: datatype.Int64, CellValNum: 1,
			Domain: datatype.Bytes([]int64{0, 1 << 40}), Extent: datatype.Bytes([]int64{1000})})
	}
	return s
}
