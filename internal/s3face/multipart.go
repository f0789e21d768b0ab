package s3face

import (
	"context"
	"encoding/xml"
	"net/http"
	"strconv"
	"strings"

	"azulejo/internal/vault"
	"azulejo/internal/web"
)

// begun is the reply to the beginning of an upload in parts.
type begun struct {
	XMLName  xml.Name `xml:"InitiateMultipartUploadResult"`
	Bucket   string
	Key      string
	UploadID string `xml:"UploadId"`
}

func (f *Face) beginUpload(w http.ResponseWriter, r *web.Request) error {
	t := at(r)
	if _, err := f.writable(r); err != nil {
		return err
	}
	if strings.HasSuffix(t.key, "/") {
		return bad("InvalidArgument", "a key that ends with a slash is a directory, which has no content")
	}
	id, err := f.files(r).BeginUpload(r.Context(), t.namespace.ID, t.key)
	if err != nil {
		return err
	}
	return send(w, begun{Bucket: t.namespace.Name, Key: t.key, UploadID: id})
}

// upload is the upload that a request goes on with.
func upload(r *web.Request) vault.Upload {
	t := at(r)
	return vault.Upload{NamespaceID: t.namespace.ID, Key: t.key, ID: r.Query().Get("uploadId")}
}

// number is the part that a request uploads.
func number(r *web.Request) (int, error) {
	n, err := strconv.Atoi(r.Query().Get("partNumber"))
	if err != nil || n < 1 || n > vault.MaxPart {
		return 0, bad("InvalidArgument", "partNumber is not a whole number from 1 to %d", vault.MaxPart)
	}
	return n, nil
}

func (f *Face) uploadPart(w http.ResponseWriter, r *web.Request) error {
	n, err := number(r)
	if err != nil {
		return err
	}
	b, err := newBody(r, maxFile)
	if err != nil {
		return err
	}
	out, err := f.files(r).WritePart(r.Context(), upload(r), n)
	if err != nil {
		return err
	}
	info, err := receive(r, b, out)
	if err != nil {
		return err
	}
	acknowledge(w, r, info)
	return nil
}

// copiedPart is the reply to a part that was copied.
type copiedPart struct {
	XMLName      xml.Name `xml:"CopyPartResult"`
	LastModified string
	ETag         string
}

func (f *Face) copyPart(w http.ResponseWriter, r *web.Request) error {
	n, err := number(r)
	if err != nil {
		return err
	}
	from, err := f.source(r)
	if err != nil {
		return err
	}
	return f.slowly(w, r, func(ctx context.Context) (any, error) {
		open := func() (sink, error) { return f.files(r).WritePart(ctx, upload(r), n) }
		info, err := f.copy(ctx, r, from, r.Header.Get(copySource+"-Range"), open)
		return copiedPart{LastModified: stamp(info.Modified), ETag: etag(info)}, err
	})
}

// chosenParts is the body that ends an upload.
type chosenParts struct {
	Parts []struct {
		Number int    `xml:"PartNumber"`
		ETag   string `xml:"ETag"`
	} `xml:"Part"`
}

// completed is the reply to the end of an upload.
type completed struct {
	XMLName  xml.Name `xml:"CompleteMultipartUploadResult"`
	Location string
	Bucket   string
	Key      string
	ETag     string
}

func (f *Face) completeUpload(w http.ResponseWriter, r *web.Request) error {
	fresh, err := f.writable(r)
	if err != nil {
		return err
	}
	var chosen chosenParts
	if err := decode(r, &chosen); err != nil {
		return err
	}
	if len(chosen.Parts) == 0 || len(chosen.Parts) > vault.MaxPart {
		return errMalformed
	}
	for i, p := range chosen.Parts {
		if i > 0 && p.Number <= chosen.Parts[i-1].Number {
			return bad("InvalidPartOrder", "the parts are not in ascending order")
		}
	}
	t := at(r)
	return f.slowly(w, r, func(ctx context.Context) (any, error) {
		matching := func(i int, info vault.FileInfo) bool { return matches(chosen.Parts[i].ETag, etag(info)) }
		numbers := make([]int, len(chosen.Parts))
		for i, p := range chosen.Parts {
			numbers[i] = p.Number
		}
		info, err := f.files(r).Complete(ctx, upload(r), vault.Chosen{Numbers: numbers, Matches: matching, Fresh: fresh})
		return completed{Location: r.URL.EscapedPath(), Bucket: t.namespace.Name, Key: t.key, ETag: etag(info)}, failedFresh(fresh, err)
	})
}

func (f *Face) abortUpload(w http.ResponseWriter, r *web.Request) error {
	if err := f.files(r).AbortUpload(r.Context(), upload(r)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// part is one part of a list.
type part struct {
	PartNumber   int
	LastModified string
	ETag         string
	Size         int64
}

// partList is the reply that lists the parts of an upload.
type partList struct {
	XMLName              xml.Name `xml:"ListPartsResult"`
	Bucket               string
	Key                  string
	UploadID             string `xml:"UploadId"`
	PartNumberMarker     int
	NextPartNumberMarker int
	MaxParts             int
	IsTruncated          bool
	Parts                []part `xml:"Part"`
}

func (f *Face) listParts(w http.ResponseWriter, r *web.Request) error {
	t := at(r)
	after, err := whole(r, "part-number-marker", 0, vault.MaxPart)
	if err != nil {
		return err
	}
	most, err := whole(r, "max-parts", maxKeys, maxKeys)
	if err != nil {
		return err
	}
	all, err := f.files(r).Parts(r.Context(), upload(r))
	if err != nil {
		return err
	}
	reply := partList{Bucket: t.namespace.Name, Key: t.key, UploadID: upload(r).ID, PartNumberMarker: after, MaxParts: most}
	for _, p := range all {
		if p.Number <= after {
			continue
		}
		if len(reply.Parts) == most {
			reply.IsTruncated = true
			break
		}
		reply.Parts = append(reply.Parts, part{p.Number, stamp(p.Modified), etag(p.FileInfo), p.NBytes})
		reply.NextPartNumberMarker = p.Number
	}
	return send(w, reply)
}
