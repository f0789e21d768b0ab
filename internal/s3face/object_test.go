package s3face

import (
	"azulejo/internal/oracle/servertest"
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestRanges(t *testing.T) {
	w := newWorld(t)
	tag := w.want(put, "/ann/f", "0123456789", 200, "").Header().Get("ETag")
	w.want(put, "/ann/empty", "", 200, "")
	for _, c := range []struct {
		path, span string
		status     int
		body       string
	}{
		{"f", "bytes=0-0", 206, "0"}, {"f", "bytes=2-4", 206, "234"}, {"f", "bytes=8-99", 206, "89"}, {"f", "bytes=3-", 206, "3456789"}, {"f", "bytes=-3", 206, "789"},
		{"f", "bytes=-99", 206, "0123456789"}, {"f", "bytes=10-", 416, "InvalidRange"}, {"f", "bytes=-0", 416, "InvalidRange"}, {"f", "bytes=5-4", 200, "0123456789"},
		{"f", "bytes=0-1,3-4", 200, "0123456789"}, {"f", "bytes=a-b", 200, "0123456789"}, {"f", "lines=1-2", 200, "0123456789"}, {"f", "bytes=-", 200, "0123456789"},
		{"f", "bytes=0-99999999999999999999", 206, "0123456789"}, {"f", "bytes=99999999999999999999-", 416, "InvalidRange"}, {"empty", "bytes=0-", 416, "InvalidRange"},
	} {
		got := w.want(get, "/ann/"+c.path, "", c.status, c.body, "Range", c.span)
		if c.status != 416 && got.Body.String() != c.body {
			t.Errorf("%s: %q", c.span, got.Body)
		}
		if c.status == 416 && !strings.HasPrefix(got.Header().Get("Content-Range"), "bytes */") {
			t.Errorf("%s: %v", c.span, got.Header())
		}
	}
	got := w.want(head, "/ann/f", "", 206, "", "Range", "bytes=2-4")
	if got.Header().Get("Content-Range") != "bytes 2-4/10" || got.Header().Get("Content-Length") != "3" {
		t.Errorf("%v", got.Header())
	}
	w.want(get, "/ann/f", "", 206, "12", "Range", "bytes=1-2", "If-Range", tag)
	w.want(get, "/ann/f", "", 200, "0123456789", "Range", "bytes=1-2", "If-Range", `"other"`)
}

func TestConditions(t *testing.T) {
	w := newWorld(t)
	got := w.want(put, "/ann/f", "x", 200, "")
	tag, at := got.Header().Get("ETag"), w.want(head, "/ann/f", "", 200, "").Header().Get("Last-Modified")
	modified, err := http.ParseTime(at)
	servertest.Must(t, err)
	before, after := modified.Add(-time.Hour).Format(http.TimeFormat), modified.Add(time.Hour).Format(http.TimeFormat)
	for _, c := range []struct {
		name, value string
		status      int
	}{
		{"If-Match", tag, 200}, {"If-Match", strings.Trim(tag, `"`), 200}, {"If-Match", `"a", ` + tag, 200}, {"If-Match", "*", 200}, {"If-Match", `"other"`, 412},
		{"If-None-Match", tag, 304}, {"If-None-Match", `"other"`, 200}, {"If-Modified-Since", at, 304}, {"If-Modified-Since", before, 200},
		{"If-Unmodified-Since", at, 200}, {"If-Unmodified-Since", before, 412}, {"If-Unmodified-Since", "no time", 200}, {"If-Modified-Since", after, 304},
	} {
		w.want(get, "/ann/f", "", c.status, "", c.name, c.value)
		status := map[int]int{304: 412}[c.status]
		if status == 0 {
			status = c.status
		}
		w.want(put, "/ann/copy", "", status, "", copySource, "ann/f", copySource+"-"+c.name, c.value)
	}
	w.want(put, "/ann/f", "y", 412, "PreconditionFailed", "If-None-Match", "*")
	w.want(put, "/ann/f", "y", 412, "PreconditionFailed", "If-Match", `"other"`)
	w.want(get, "/ann/f", "", 200, "x")
	w.want(put, "/ann/f", "y", 200, "", "If-Match", tag)
	w.want(put, "/ann/f2", "z", 200, "", "If-None-Match", "*")
	w.want(put, "/ann/none", "z", 404, "NoSuchKey", "If-Match", tag)
	w.want(put, "/ann/copy", "", 412, "PreconditionFailed", copySource, "ann/f", "If-None-Match", "*")
	w.want(get, "/ann/f", "", 200, "y")
}

func TestCopies(t *testing.T) {
	w := newWorld(t)
	w.want(put, "/ann/a%20%25/%C3%A9", "content", 200, "")
	w.want(put, "/ann/b", "", 200, "<CopyObjectResult>", copySource, "/ann/a%20%25/%C3%A9")
	w.want(get, "/ann/b", "", 200, "content")
	w.want(put, "/ann/b", "", 200, "<CopyObjectResult>", copySource, "ann/b")
	w.want(put, "/ann/c", "", 404, "NoSuchKey", copySource, "ann/none")
	w.want(put, "/ann/c", "", 404, "NoSuchBucket", copySource, "nobody/none")
	w.want(put, "/ann/c", "", 400, "NotImplemented", copySource, "ann/b?versionId=abc")
	for _, source := range []string{"ann", "ann/", "%zz/x"} {
		w.want(put, "/ann/c", "", 400, "InvalidArgument", copySource, source)
	}
	w.want(get, "/ann/c", "", 404, "")
}

// A copy that takes long keeps its client by blanks, and tells an error in the reply.
func TestSlowCalls(t *testing.T) {
	w := newWorld(t)
	w.face.patience = 1 // nanosecond: the first blank comes before anything else
	content := strings.Repeat("x", 20<<20)
	w.want(put, "/ann/a", content, 200, "")
	for range 3 {
		body := w.want(put, "/ann/b", "", 200, "", copySource, "ann/a").Body.Bytes()
		var reply copied
		if err := xml.Unmarshal(body, &reply); err != nil || reply.ETag != w.want(head, "/ann/b", "", 200, "").Header().Get("ETag") {
			t.Errorf("%s: %v", body, err)
		}
	}
	got := w.do(request{w.Full, put, "/ann/c", "", []string{copySource, "ann/none"}, false})
	if !strings.Contains(got.Body.String(), "<Code>NoSuchKey</Code>") || got.Code != 200 && got.Code != 404 {
		t.Errorf("%d %s", got.Code, got.Body)
	}
}

func TestUploadInParts(t *testing.T) {
	w := newWorld(t)
	begin := func(key string) string {
		var b begun
		servertest.Must(t, xml.Unmarshal(w.want(post, "/ann/"+key+"?uploads", "", 200, "").Body.Bytes(), &b))
		return b.UploadID
	}
	id := begin("big")
	at := func(n int) string { return fmt.Sprintf("/ann/big?partNumber=%d&uploadId=%s", n, id) }
	tags := map[int]string{}
	for _, n := range []int{3, 1, 10} {
		tags[n] = w.want(put, at(n), fmt.Sprintf("part %d;", n), 200, "").Header().Get("ETag")
	}
	tags[1] = w.want(put, at(1), "part one;", 200, "").Header().Get("ETag")
	w.want(put, "/ann/source", "0123456789", 200, "")
	var c copiedPart
	servertest.Must(t, xml.Unmarshal(w.want(put, at(4), "", 200, "", copySource, "ann/source", copySource+"-Range", "bytes=2-4").Body.Bytes(), &c))
	tags[4] = c.ETag
	w.want(put, at(5), "", 400, "InvalidArgument", copySource, "ann/source", copySource+"-Range", "bytes=20-40")
	w.want(put, at(0), "x", 400, "InvalidArgument")
	w.want(put, at(10001), "x", 400, "InvalidArgument")
	w.want(put, at(2), "x", 400, "BadDigest", "x-amz-checksum-crc32", "AAAAAA==")
	w.want(get, "/ann/big", "", 404, "NoSuchKey")
	if got := w.keys(""); !slices.Equal(got, []string{"source"}) {
		t.Errorf("an upload shows: %v", got)
	}
	var l partList
	servertest.Must(t, xml.Unmarshal(w.want(get, "/ann/big?uploadId="+id+"&max-parts=2&part-number-marker=1", "", 200, "").Body.Bytes(), &l))
	if len(l.Parts) != 2 || l.Parts[0].PartNumber != 3 || l.Parts[1].ETag != tags[4] || !l.IsTruncated || l.NextPartNumberMarker != 4 || l.Parts[1].Size != 3 {
		t.Errorf("%+v", l)
	}
	complete := func(numbers ...int) string {
		text := "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
		for _, n := range numbers {
			text += fmt.Sprintf("<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", n, tags[n])
		}
		return text + "</CompleteMultipartUpload>"
	}
	whole := "/ann/big?uploadId=" + id
	w.want(post, whole, complete(3, 1), 400, "InvalidPartOrder")
	w.want(post, whole, complete(1, 2), 400, "InvalidPart")
	w.want(post, whole, strings.Replace(complete(1), tags[1], tags[3], 1), 400, "InvalidPart")
	w.want(post, whole, "<CompleteMultipartUpload/>", 400, "MalformedXML")
	w.want(post, "/ann/other?uploadId="+id, complete(1), 404, "NoSuchUpload")
	w.wantAs(request{w.Other, post, whole, complete(1), nil, false}, 404, "NoSuchBucket")
	var done, again completed
	servertest.Must(t, xml.Unmarshal(w.want(post, whole, complete(1, 3, 4, 10), 200, "").Body.Bytes(), &done))
	got := w.want(get, "/ann/big", "", 200, "part one;part 3;234part 10;")
	if got.Header().Get("ETag") != done.ETag {
		t.Errorf("ETag %s, want %s", got.Header().Get("ETag"), done.ETag)
	}
	servertest.Must(t, xml.Unmarshal(w.want(post, whole, complete(1, 3, 4, 10), 200, "").Body.Bytes(), &again))
	if again != done {
		t.Errorf("done again: %+v, want %+v", again, done)
	}
	w.want(put, at(1), "x", 404, "NoSuchUpload")
	w.want(del, whole, "", 404, "NoSuchUpload")

	id = begin("big")
	w.want(put, at(1), "x", 200, "")
	w.want(del, "/ann/big?uploadId="+id, "", 204, "")
	w.want(put, at(1), "x", 404, "NoSuchUpload")
	w.want(get, "/ann/big", "", 200, "part one;part 3;234part 10;")
	for _, bad := range []string{"", "..", strings.Repeat("0", 32), strings.Repeat("0", 33), "../" + strings.Repeat("0", 29)} {
		w.want(del, "/ann/big?uploadId="+bad, "", 404, "NoSuchUpload")
	}
	w.want(get, "/ann/big", "", 200, "part one")
}
