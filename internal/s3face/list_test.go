package s3face

import (
	"azulejo/internal/oracle/servertest"
	"encoding/xml"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// model lists keys as the description of ListObjectsV2 says.
func model(keys []string, prefix, delimiter, after string) (list []string) {
	slices.Sort(keys)
	for _, k := range keys {
		if !strings.HasPrefix(k, prefix) || k <= after {
			continue
		}
		if i := strings.Index(k[len(prefix):], delimiter); delimiter != "" && i >= 0 {
			k = k[:len(prefix)+i+len(delimiter)]
		}
		if len(list) == 0 || list[len(list)-1] != k {
			list = append(list, k)
		}
	}
	return list
}

// pages lists page by page and returns all keys and common prefixes in order.
func (w *world) pages(query string, size int) (list []string) {
	w.t.Helper()
	token := ""
	for range 1000 {
		path := fmt.Sprintf("/ann?list-type=2&encoding-type=url&max-keys=%d&%s", size, query)
		if token != "" {
			path += "&continuation-token=" + token
		}
		var l listing
		if err := xml.Unmarshal(w.want(get, path, "", 200, "").Body.Bytes(), &l); err != nil {
			w.t.Fatal(err)
		}
		page := []string{}
		for _, c := range l.Contents {
			page = append(page, c.Key)
		}
		for _, p := range l.CommonPrefixes {
			page = append(page, p.Prefix)
		}
		for i := range page {
			page[i], _ = url.PathUnescape(page[i])
		}
		slices.Sort(page)
		list = append(list, page...)
		if l.KeyCount == nil || *l.KeyCount != len(page) || len(page) > size || l.IsTruncated != (l.NextContinuationToken != "") {
			w.t.Errorf("%s: %+v", path, l)
		}
		if token = l.NextContinuationToken; !l.IsTruncated {
			return list
		}
	}
	w.t.Fatalf("%s: the pages do not end", query)
	return nil
}

func TestListings(t *testing.T) {
	w := newWorld(t)
	r := rand.New(rand.NewPCG(1, 2))
	parts := []string{"a", "a-b", "a.b", "a0", "b", "é", "x y", "%", "B", "a+b"}
	var keys []string
	for len(keys) < 60 {
		var segments []string
		for range 1 + r.IntN(4) {
			segments = append(segments, parts[r.IntN(len(parts))])
		}
		key := strings.Join(segments, "/")
		if slices.Contains(keys, key) || w.do(request{w.Full, put, "/ann/" + (&url.URL{Path: key}).EscapedPath(), key, nil, false}).Code == 409 {
			continue // a file where a directory is
		}
		keys = append(keys, key)
	}
	for _, prefix := range []string{"", "a", "a/", "a/a", "b/é/", "none", "a-", "x y/", "%"} {
		for _, delimiter := range []string{"", "/", "-", "a", "b/"} {
			for _, after := range []string{"", "a", "a/b", "a0", "é"} {
				want := model(keys, prefix, delimiter, after)
				q := "prefix=" + url.QueryEscape(prefix) + "&delimiter=" + url.QueryEscape(delimiter) + "&start-after=" + url.QueryEscape(after)
				for _, size := range []int{1, 3, 1000} {
					if size < 1000 && r.IntN(4) > 0 {
						continue
					}
					if got := w.pages(q, size); !slices.Equal(got, want) {
						t.Errorf("%s by %d:\n%q, want\n%q", q, size, got, want)
					}
				}
			}
		}
	}
	// The older form, with markers.
	var all []string
	for marker := ""; ; {
		var l listing
		servertest.Must(t, xml.Unmarshal(w.want(get, "/ann?max-keys=7&delimiter=/&marker="+url.QueryEscape(marker), "", 200, "").Body.Bytes(), &l))
		for _, c := range l.Contents {
			all = append(all, c.Key)
		}
		for _, p := range l.CommonPrefixes {
			all = append(all, p.Prefix)
		}
		if marker = l.NextMarker; !l.IsTruncated {
			break
		}
	}
	slices.Sort(all)
	if want := model(keys, "", "/", ""); !slices.Equal(all, want) {
		t.Errorf("by markers: %q, want %q", all, want)
	}
	for _, bad := range []string{"max-keys=-1", "max-keys=x", "continuation-token=!", "continuation-token=aaaa", "encoding-type=none"} {
		w.want(get, "/ann?list-type=2&"+bad, "", 400, "InvalidArgument")
	}
	if got := w.keys("max-keys=0"); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

func TestDeleteObjects(t *testing.T) {
	w := newWorld(t)
	for i := range 5 {
		w.want(put, fmt.Sprintf("/ann/d/%d", i), "x", 200, "")
	}
	body := "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Object><Key>d/0</Key></Object><Object><Key>d/none</Key></Object>" +
		"<Object><Key>d/1</Key><VersionId>v</VersionId></Object><Object><Key>file:/etc/passwd</Key></Object></Delete>"
	var reply deleted
	servertest.Must(t, xml.Unmarshal(w.want(post, "/ann?delete", body, 200, "").Body.Bytes(), &reply))
	if want := []removed{{"d/0"}, {"d/none"}}; !slices.Equal(reply.Deleted, want) {
		t.Errorf("%+v", reply)
	}
	if len(reply.Errors) != 2 || reply.Errors[1].Code != "AccessDenied" {
		t.Errorf("%+v", reply.Errors)
	}
	w.want(post, "/ann?delete", "<Delete><Quiet>true</Quiet><Object><Key>d/2</Key></Object></Delete>", 200, "<DeleteResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"></DeleteResult>")
	if got := w.keys(""); len(got) != 3 {
		t.Errorf("left %v", got)
	}
}
