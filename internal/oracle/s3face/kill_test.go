package s3face

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"azulejo/internal/oracle/launch"
)

const (
	killRounds  = 4
	killWriters = 4
	// killAcks is after how many acknowledged files the server is killed.
	killAcks = 25
	fileLen  = 200_000
)

// content is a file of a version: nothing of it is equal to another version's.
func content(version int64) []byte {
	return bytes.Repeat(fmt.Appendf(nil, "%09d\n", version), fileLen/10)
}

// call sends a request to the S3 face and returns status and body; a server that is gone has status 0.
func call(t *testing.T, s *launch.Server, method, path string, body []byte) (int, string) {
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+"/v4/files/"+launch.User+"/"+path, bytes.NewReader(body))
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	r.Header.Set("X-TILEDB-REST-API-Key", s.Token)
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, ""
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		return 0, ""
	}
	return reply.StatusCode, string(text)
}

// TestKilledServer kills the server while files are written again and again: each file is then one of the versions written, whole,
// and not older than the last that was acknowledged. An upload in parts goes on after it.
func TestKilledServer(t *testing.T) {
	o := launch.Options{Data: t.TempDir(), Allowed: t.TempDir()}
	var acked, tried [killWriters]int64
	var upload struct {
		UploadID string `xml:"UploadId"`
	}
	var parts strings.Builder
	for round := range killRounds {
		s := launch.Start(t, o)
		for w := range killWriters {
			status, body := call(t, s, http.MethodGet, fmt.Sprintf("kill/%d", w), nil)
			if tried[w] == 0 {
				continue
			}
			var version int64
			if status == http.StatusOK && len(body) >= 9 {
				fmt.Sscanf(body[:9], "%d", &version)
			}
			if version < acked[w] || version > tried[w] || body != string(content(version)) && version > 0 {
				t.Errorf("round %d: status %d, %d bytes of version %d; acknowledged %d, tried %d", round, status, len(body), version, acked[w], tried[w])
			}
		}
		if round == 0 {
			if err := xml.Unmarshal([]byte(second(call(t, s, http.MethodPost, "kill/parts?uploads", nil))), &upload); err != nil {
				t.Fatal(err)
			}
		}
		part(t, s, upload.UploadID, round+1, &parts)
		if round == killRounds-1 {
			finish(t, s, upload.UploadID, parts.String())
			return
		}
		var count atomic.Int64
		var writers sync.WaitGroup
		for w := range killWriters {
			writers.Go(func() {
				for {
					tried[w]++
					if status, _ := call(t, s, http.MethodPut, fmt.Sprintf("kill/%d", w), content(tried[w])); status != http.StatusOK {
						return
					}
					acked[w] = tried[w]
					if count.Add(1) == killAcks {
						if err := s.Kill(); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		writers.Wait()
	}
}

func second(_ int, text string) string { return text }

// part uploads one part and notes it for the end of the upload.
func part(t *testing.T, s *launch.Server, id string, number int, list *strings.Builder) {
	t.Helper()
	path := fmt.Sprintf("kill/parts?partNumber=%d&uploadId=%s", number, id)
	if status, body := call(t, s, http.MethodPut, path, content(int64(number))); status != http.StatusOK {
		t.Fatalf("part %d: %d %s", number, status, body)
	}
	var l struct {
		Part []struct{ PartNumber, ETag string }
	}
	if err := xml.Unmarshal([]byte(second(call(t, s, http.MethodGet, "kill/parts?uploadId="+id, nil))), &l); err != nil || len(l.Part) != number {
		t.Fatalf("%d parts, want %d: %v", len(l.Part), number, err)
	}
	last := l.Part[number-1]
	fmt.Fprintf(list, "<Part><PartNumber>%s</PartNumber><ETag>%s</ETag></Part>", last.PartNumber, last.ETag)
}

// finish ends the upload and reads the file.
func finish(t *testing.T, s *launch.Server, id, list string) {
	t.Helper()
	if status, body := call(t, s, http.MethodPost, "kill/parts?uploadId="+id, []byte("<CompleteMultipartUpload>"+list+"</CompleteMultipartUpload>")); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	var want []byte
	for i := range killRounds {
		want = append(want, content(int64(i+1))...)
	}
	if status, body := call(t, s, http.MethodGet, "kill/parts", nil); status != http.StatusOK || body != string(want) {
		t.Errorf("%d, %d bytes, want %d", status, len(body), len(want))
	}
}
